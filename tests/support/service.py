"""The service as `make serve` runs it, in a separate process."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from serve_app.settings import SERVE_CONFIG, Settings
from tests.support import photos
from tests.support.processes import kill, of_each

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / SERVE_CONFIG

UserConfigs = dict[str, dict[str, Any]]


class RunningService:
    """`python -m serve_app` on a given port.

    Args:
        port: a free port.
        folder: for its output, its configs, and the home directory for Ray's token.
        settings: environment variables.
    """

    def __init__(self, port: int, folder: Path, **settings: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._output = folder / "output.txt"
        # Unlike the tests' shared cluster, this one keeps Ray's token authentication on, as it is for users.
        self._environment = {key: value for key, value in os.environ.items() if key not in ("RAY_AUTH_MODE", "RAY_ADDRESS")}
        # It uses the exports that `make setup` has cached: an export takes more than ten seconds.
        models = Settings(_env_file=None).model_cache_dir.expanduser()
        self._environment |= {"API_PORT": str(port), "SERVE_CONFIG": SERVE_CONFIG, "HOME": str(folder), "MODEL_CACHE_DIR": str(models)}
        self._environment |= settings
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serve_app"], cwd=ROOT, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.family: list[psutil.Process] = []
        self.heard_while_starting: set[str] = set()

    def wait_until_ready(self) -> None:
        """Waits for the last line of the start message, and asks for answers meanwhile."""
        while "\nStop:" not in self.output:
            self.heard_while_starting.add(self.hear())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)
                raise AssertionError(self.output)
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def hear(self) -> str:
        """What a client hears: the status and code of an answer about a photo, or that there was none."""
        try:
            answer = httpx.post(f"{self.url}/predict", content=photos.cat(), headers={"content-type": "image/jpeg"}, timeout=60)
        except httpx.TransportError:
            return "no connection"
        if answer.headers["content-type"] != "application/json":
            return f"{answer.status_code} {answer.text}"
        assert answer.status_code != 503 or answer.headers["retry-after"]
        return f"{answer.status_code} {answer.json()['code']}"

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._output.read_text()

    @property
    def dashboard(self) -> str:
        """Address of the Ray dashboard."""
        found = re.search(r"Ray dashboard: +(http://[\d.:]+)", self.output)
        assert found
        return found[1]

    @property
    def session_dir(self) -> Path:
        """Ray's session folder."""
        commands = of_each(self.family, psutil.Process.cmdline).values()
        arguments = [argument for command in commands for argument in command]
        return next(Path(each.removeprefix("--session-dir=")) for each in arguments if each.startswith("--session-dir="))

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines of the replicas' logs."""
        files = (self.session_dir / "logs" / "serve").glob("replica_*.log")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def deploy(self, user_configs: UserConfigs) -> None:
        """Does what `serve deploy` does (a start of Python sooner) with serve_config.yaml and these values instead of its nulls."""
        config = yaml.safe_load(CONFIG.read_text())
        config["http_options"]["port"] = self.port
        for deployment in config["applications"][0]["deployments"]:
            deployment.get("user_config", {}).update(user_configs.get(deployment["name"], {}))
        self._ask_serve("PUT", config)

    def is_deployed(self) -> bool:
        """Whether all replicas have what was deployed last."""
        applications = self._ask_serve("GET").json()["applications"].values()
        return all(application["status"] == "RUNNING" for application in applications)

    def _ask_serve(self, method: str, config: object = None) -> httpx.Response:
        token = (self._folder / ".ray" / "auth_token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{self.dashboard}/api/serve/applications/", json=config, headers=headers, timeout=120)
        return answer.raise_for_status()

    def run_in_checkout(self, line: str) -> None:
        """Runs a shell command as in a checkout with this service's serve_config.yaml."""
        folder = self._folder / "checkout"
        (folder / ".venv").mkdir(parents=True, exist_ok=True)
        if not (folder / SERVE_CONFIG).exists():
            (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
            config = CONFIG.read_text()
            (folder / SERVE_CONFIG).write_text(re.sub(r"^  port: 8000$", f"  port: {self.port}", config, flags=re.MULTILINE))
        environment = self._environment | {"RAY_DASHBOARD_ADDRESS": self.dashboard}
        subprocess.run(["sh", "-c", line], cwd=folder, env=environment, check=True, capture_output=True, timeout=60)

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """Kills the remaining processes."""
        kill([*self.family, *self._self()])

    def _self(self) -> list[psutil.Process]:
        if self.process.poll() is not None:
            return []
        process = psutil.Process(self.process.pid)
        return [*process.children(recursive=True), process]

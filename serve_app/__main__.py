"""`make serve`: runs serve_config.yaml on API_HOST and API_PORT, prints when it is ready, and stops without losing requests.

`serve run` does the work. This adds host and port from the settings, Ray's token authentication, a message when the service is ready,
and a clean stop: `serve run` alone ignores SIGTERM, and on Ctrl-C it ends its proxies with requests in flight.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import yaml
from dotenv import load_dotenv

from serve_app.graph.ray_internals import on_this_machine
from serve_app.http.answers import HEALTHY
from serve_app.http.draining import drain
from serve_app.settings import Settings, get_settings

CONFIG = Path("serve_config.yaml")
DASHBOARD = "http://localhost:8265"
POLL_S = 0.2
DRAIN_S = 9.0  # for requests in flight
SEND_S = 0.3  # for answers that have left the replicas but not the proxy
STOP_S = 14.0  # for the whole stop: orchestrators and people soon kill a process that has not ended


def main(config: Path = CONFIG) -> int:
    """Runs the service until it ends or gets a signal; returns the exit status."""
    if not config.exists():
        print(f"There is no {config} here: run this in a checkout of the project", file=sys.stderr)
        return 1
    load_dotenv(".env")  # for the replicas, and for boto3, which reads only the environment
    settings = get_settings()
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # the dashboard can run code: without the token nobody may use it
    for name, value in on_this_machine().items():
        os.environ.setdefault(name, value)
    if _is_taken(settings.api_host, settings.api_port):
        print(f"Port {settings.api_port} is taken by another program. Choose another one: API_PORT=8001 make serve", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        bound = Path(folder) / config.name
        bound.write_text(yaml.safe_dump(with_address(yaml.safe_load(config.read_text()), settings)))
        os.environ["DRAIN_DIR"] = folder
        command = [sys.executable, "-m", "ray.serve.scripts", "run", str(bound)]
        # The handler comes first: a shell starts background jobs with SIGINT ignored, and `serve run` would inherit that.
        stop = Stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        # Its own process group: Ctrl-C on the terminal reaches it once, through us.
        service = subprocess.Popen(command, start_new_session=True)
        if _wait_until_ready(service, settings, stop):
            print(_ready_message(settings), flush=True)
        while service.poll() is None and not stop.asked:
            time.sleep(POLL_S)
        if stop.asked:
            stop_service(service, Path(folder), stop)
        return 0 if stop.asked else service.returncode


def with_address(config: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The config with the settings' host and port."""
    address = {"host": settings.api_host, "port": settings.api_port}
    return config | {"http_options": config.get("http_options", {}) | address}


def _is_taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just released is free
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


class Stop:
    """Counts signals: the first one asks for a clean stop, the second one for an immediate stop."""

    def __init__(self) -> None:
        self._signals = 0

    def __call__(self, number: int, frame: object) -> None:
        """Counts a signal."""
        self._signals += 1

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._signals > 0

    @property
    def at_once(self) -> bool:
        """Whether to stop without waiting."""
        return self._signals > 1


def stop_service(service: subprocess.Popen[bytes], folder: Path, stop: Stop) -> None:
    """Drains the service, ends it, and kills it if it has not ended after `STOP_S`."""
    end = time.monotonic() + STOP_S
    print("Stopping: answering requests in flight (Ctrl-C again: at once)", flush=True)
    drain(folder, DRAIN_S, give_up=lambda: stop.at_once or service.poll() is not None)
    time.sleep(SEND_S)
    if service.poll() is None:
        service.send_signal(signal.SIGINT)
    while service.poll() is None and not stop.at_once and time.monotonic() < end:
        time.sleep(POLL_S)
    if service.poll() is None:
        _kill(service)


def _kill(service: subprocess.Popen[bytes]) -> None:
    """Kills `serve run` and its descendants: Ray's processes would outlive it."""
    parent = psutil.Process(service.pid)
    for process in [*parent.children(recursive=True), parent]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    service.wait()


def _wait_until_ready(service: subprocess.Popen[bytes], settings: Settings, stop: Stop) -> bool:
    """Polls /health. Returns whether it was healthy before the service ended or was asked to stop."""
    while service.poll() is None and not stop.asked:
        try:
            with urllib.request.urlopen(f"{_address(settings)}/health", timeout=2) as answer:
                if json.load(answer).get("status") == HEALTHY:
                    return True
        except (OSError, ValueError):
            pass
        time.sleep(POLL_S)
    return False


def _address(settings: Settings) -> str:
    host = "localhost" if settings.api_host in ("0.0.0.0", "127.0.0.1", "::") else settings.api_host
    return f"http://{host}:{settings.api_port}"


def _ready_message(settings: Settings) -> str:
    address = _address(settings)
    return f"""
Ready. Try it:   curl -F file=@photo.jpg {address}/predict
API:             {address}/docs
Ray dashboard:   {DASHBOARD}, or the port that Ray printed above (it asks for the token that `.venv/bin/ray get-auth-token` prints)
Logs:            {Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray/session_latest/logs/serve"}
Stop:            Ctrl-C
"""


if __name__ == "__main__":
    sys.exit(main())

"""`python -m serve_app.supervisor.driver CONFIG FOLDER`: starts Ray, or joins the cluster of RAY_ADDRESS, and does as `serve run CONFIG`.

`serve run` alone would join any cluster that it finds on the machine, and keeps the dashboard's address to itself.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from serve_app.graph.ray_internals import leave_out_pandas, start_head
from serve_app.supervisor.dashboard import DashboardDoor

DRIVER = "serve_app.supervisor.driver"
DASHBOARD = "dashboard"  # file with its address
TRIES_OF_RAY = 2  # on a busy machine Ray kills itself when its agent takes more than 15 s to start
TRIES = 3  # on a busy machine Serve kills its proxy for being slow to start, and gives up; it goes on from there


def start(config: Path, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts the driver in its own session: Ctrl-C on the terminal reaches it once, through `make serve`."""
    return subprocess.Popen([sys.executable, "-m", DRIVER, str(config), str(folder)], env=environment, start_new_session=True)


def dashboard(folder: Path) -> str:
    """The URL of Ray's dashboard, once Ray runs."""
    file = folder / DASHBOARD
    address = file.read_text() if file.exists() else ""
    return f"http://{address}" if address else "none"


def main() -> int:
    """Runs until SIGINT; returns the exit status."""
    config, folder = sys.argv[1], Path(sys.argv[2])
    leave_out_pandas()
    import ray

    try:
        if address := os.environ.get("RAY_ADDRESS"):
            dashboard = ray.init(address=address, namespace="serve").dashboard_url or ""
        else:
            dashboard = DashboardDoor(_start_ray()).address
        (folder / DASHBOARD).write_text(dashboard)
        _serve_run(config)
    except KeyboardInterrupt:  # before Serve has started, which takes it otherwise
        return 130
    except Exception as error:
        print(f"Ray could not start the service. If the machine was busy, try again. {_first_line(error)}", file=sys.stderr)
        return 1
    return 0


def _start_ray() -> Callable[[], str]:
    for tries_left in reversed(range(TRIES_OF_RAY)):
        try:
            return start_head()
        except Exception:
            if not tries_left:
                raise
            print("Ray did not start: trying again", file=sys.stderr, flush=True)
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
    raise AssertionError("unreachable")


def _serve_run(config: str) -> None:
    from ray.serve.scripts import cli

    for tries_left in reversed(range(TRIES)):
        try:
            cli(["run", config, "--address", "auto"], standalone_mode=False)  # "auto": Ray is connected already
            return
        except Exception:
            if not tries_left:
                raise
            print("Ray Serve did not start: trying again", file=sys.stderr, flush=True)


def _first_line(error: Exception) -> str:
    error = getattr(error, "cause", None) or error  # an error of another process: its text is a traceback
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


if __name__ == "__main__":
    if status := main():
        sys.stderr.flush()
        os._exit(status)  # Ray's own end may hang or crash now, and `make serve` ends all that was started

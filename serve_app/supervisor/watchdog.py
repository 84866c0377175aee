"""`python -m serve_app.supervisor.watchdog FOLDER`: ends the run of that folder when its standard input closes.

`make serve` holds the other end of that pipe, so it closes however `make serve` ends, even by `kill -9`.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from serve_app.supervisor.driver import DRIVER
from serve_app.supervisor.processes import end_run, run_of

STOP_S = 10.0  # for Ray and Serve to stop in order


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Starts the watchdog of a run. It acts when the result is forgotten.

    It has its own session, which a closing terminal does not end, and it does not carry the run's mark.
    """
    command = [sys.executable, "-m", "serve_app.supervisor.watchdog", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def dismiss(watchdog: subprocess.Popen[bytes]) -> None:
    """Lets the watchdog end, after it has looked for what the run may have left."""
    watchdog.communicate()


def main() -> None:
    """Waits for the end of `make serve`."""
    folder = Path(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    # On a cluster that it has joined, only the driver can stop the service.
    drivers = [process for process in run_of(folder) if DRIVER in _arguments(process)]
    for process in drivers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    psutil.wait_procs(drivers, timeout=STOP_S)
    end_run(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _arguments(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


if __name__ == "__main__":
    main()

"""However `make serve` ends, the watchdog ends what it has started."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.unit.serve_app.supervisor.conftest import SAY_AND_WAIT, WAIT, Spawn

KEEPER = f"""
import os, subprocess, sys
from pathlib import Path
from serve_app.supervisor import watchdog
folder = Path(sys.argv[1])
keeper = watchdog.start(folder)
environment = dict(os.environ, DRAIN_DIR=str(folder))
service = subprocess.Popen([sys.executable, "-c", {SAY_AND_WAIT!r}], env=environment, start_new_session=True)
{WAIT}
"""

# Named as the driver: it is asked to end, and says that it was.
DRIVER = """
import os, signal, sys, time
from pathlib import Path
def end(*_):
    Path(sys.argv[1]).touch()
    sys.exit()
signal.signal(signal.SIGINT, end)
print(os.getpid(), flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
def test_the_death_of_its_keeper_ends_the_run(number: signal.Signals, folder: Path, spawn: Spawn) -> None:
    service = spawn(KEEPER, folder, marked=False)
    keeper = service.parent()
    assert keeper
    keeper.send_signal(number)
    assert psutil.wait_procs([service], timeout=60)[1] == []
    while folder.exists():
        pass  # it is the last thing that the watchdog does


def test_the_driver_may_stop_in_order(folder: Path, spawn: Spawn, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped in order"
    driver = spawn(DRIVER, stopped, "serve_app.supervisor.driver")
    command = [sys.executable, "-m", "serve_app.supervisor.watchdog", str(folder)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert stopped.exists()
    assert not driver.is_running() or driver.status() == psutil.STATUS_ZOMBIE


def test_a_signal_for_the_whole_terminal_does_not_end_it(folder: Path) -> None:
    command = [sys.executable, "-m", "serve_app.supervisor.watchdog", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as watchdog:
        while not ignores(watchdog.pid, signal.SIGHUP):
            assert watchdog.poll() is None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            watchdog.send_signal(number)
        assert watchdog.poll() is None
        watchdog.communicate()
    assert watchdog.returncode == 0


def ignores(pid: int, number: signal.Signals) -> bool:
    (mask,) = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) >> (number - 1) & 1)

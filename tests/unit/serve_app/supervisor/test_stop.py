"""What asks `make serve` to stop, and how it stops the service."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.supervisor import stop as module
from serve_app.supervisor.stop import Stop, stop_service

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_asks_for_a_clean_stop_and_a_second_one_for_an_immediate_stop(number: signal.Signals) -> None:
    stop = Stop()
    stop.listen()
    assert (stop.asked, stop.at_once) == (False, False)
    os.kill(os.getpid(), number)
    assert (stop.asked, stop.at_once) == (True, False)
    os.kill(os.getpid(), number)
    assert stop.at_once


def test_under_nohup_a_closed_terminal_does_not_stop_it() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = Stop()
    stop.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.asked


WITH_PARENT = """
import sys
from serve_app.supervisor.stop import Stop
stop = Stop(with_parent=True)
print("waiting", flush=True)
while not stop.asked:
    pass
print("stopped", flush=True)
"""


def test_the_death_of_make_stops_it() -> None:
    make = 'import subprocess, sys; subprocess.run([sys.executable, "-c", sys.argv[1]])'
    with subprocess.Popen([sys.executable, "-c", make, WITH_PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"waiting\n"
        parent.kill()
        assert parent.stdout.readline() == b"stopped\n"


def test_a_service_that_does_not_stop_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STOP_S", "SEND_S"):
        monkeypatch.setattr(module, name, 0.0)
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as service:
        assert service.stdout
        service.stdout.readline()
        stop_service(service, tmp_path, Stop())
        assert service.poll() is None  # `processes.end_run` is next
        service.kill()

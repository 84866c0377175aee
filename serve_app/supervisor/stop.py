"""When `make serve` is asked to stop, and how it stops the service without losing requests."""

import os
import signal
import subprocess
import time
from pathlib import Path

from serve_app.http.draining import drain
from serve_app.supervisor.output import say

POLL_S = 0.2
DRAIN_S = 9.0  # for requests in flight
SEND_S = 0.3  # for answers that have left the replicas but not the proxy
STOP_S = 14.0  # for the whole stop: orchestrators and people soon kill a process that has not ended


class Stop:
    """Counts requests to stop: the first one asks for a clean stop, the second one for an immediate stop.

    Args:
        with_parent: the end of the parent process counts, too. `make` dies of `kill -9` without a word to its children.
    """

    def __init__(self, with_parent: bool = False) -> None:
        self._signals = 0
        self._parent = os.getppid() if with_parent else None

    def listen(self) -> None:
        """Takes SIGINT, SIGTERM and SIGHUP, which a closing terminal sends; `nohup` has the latter ignored, and it stays so."""
        # Also for what we start: a shell starts background jobs with SIGINT ignored, and they would inherit that.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, frame: object) -> None:
        """Counts a signal."""
        self._signals += 1

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._signals > 0 or (self._parent is not None and os.getppid() != self._parent)

    @property
    def at_once(self) -> bool:
        """Whether to stop without waiting."""
        return self._signals > 1


def stop_service(service: subprocess.Popen[bytes], folder: Path, stop: Stop) -> None:
    """Drains the service and asks it to end; what has not ended after `STOP_S` is left to be killed."""
    end = time.monotonic() + STOP_S
    say("Stopping: answering requests in flight (Ctrl-C again: at once)")
    drain(folder, DRAIN_S, give_up=lambda: stop.at_once or service.poll() is not None)
    time.sleep(SEND_S)
    if service.poll() is None:
        service.send_signal(signal.SIGINT)
    while service.poll() is None and not stop.at_once and time.monotonic() < end:
        time.sleep(POLL_S)

"""A subprocess that ends with the process that started it, even when that one is killed.

Its standard input is a pipe whose other end only its parent has: the kernel closes it, however the parent ends.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

ABANDONED = 70  # exit status of a child whose parent has ended


def run_child(command: Sequence[str], deadline_s: float) -> "subprocess.CompletedProcess[str]":
    """Runs a program that calls `end_with_parent`, and returns its status and output.

    Raises:
        subprocess.TimeoutExpired: it was killed after `deadline_s`.
    """
    theirs, ours = os.pipe()  # other children do not inherit it
    try:
        return subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, timeout=deadline_s)  # noqa: S603 - our own modules
    finally:
        os.close(theirs)
        os.close(ours)


def end_with_parent() -> None:
    """From now on this process ends at once when its parent does. For processes that `run_child` has started."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    os.read(sys.stdin.fileno(), 1)  # nobody writes: it returns at the end
    os._exit(ABANDONED)

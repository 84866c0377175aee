"""Inferences at the same time: one that has the cores for itself takes all threads, and others take one thread each.

So a single photo is answered as soon as the cores allow. Under load, a batch in one thread costs less CPU time than the same batch in two,
which wait for each other at each layer, and for their turn on cores that others use.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import Floats, Run

SECOND_LOOK_S = 0.0001
"""From a look at busy cores to the next and last one: whoever was only passing on a message is done by then."""


class _Running:
    """The inferences of this process, whichever network they are of: they share the cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @contextmanager
    def one_more(self) -> Iterator[bool]:
        """Counts one for as long as the block runs; true if it is alone as it begins."""
        with self._lock:
            alone = self._count == 0
            self._count += 1
        try:
            yield alone
        finally:
            with self._lock:
                self._count -= 1


_running = _Running()


def idle_cores() -> int:
    """Cores of this machine on which nothing runs at this moment; the caller runs on one.

    All processes count, and so a second replica, which this one does not know of. In a container the cores are the host's, of which it may
    have few. Where the system does not tell (it is not Linux), all but the caller's are idle.
    """
    running = 1
    with contextlib.suppress(OSError, ValueError, IndexError):
        running = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])  # man 5 proc_loadavg
    return (os.cpu_count() or 1) - running


class AtOnce:
    """A `Run` of one network that several threads call at the same time.

    Args:
        alone: the network with all threads.
        threads: how many these are.
        beside: the same, as often as it may run at the same time, with one thread each. Further callers wait.
        idle_cores: see the function.
    """

    def __init__(self, alone: Run, threads: int, beside: Sequence[Run], idle_cores: Callable[[], int] = idle_cores) -> None:
        self._alone = alone
        self._threads = threads
        self._beside = beside
        self._idle_cores = idle_cores
        self._free: SimpleQueue[Run] = SimpleQueue()
        for each in beside:
            self._free.put(each)

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        """See `Run`."""
        with _running.one_more() as alone:
            if alone and self._cores_are_idle():
                return self._alone(pixels)
            run = self._free.get()
            try:
                return run(pixels)
            finally:
                self._free.put(run)

    def _cores_are_idle(self) -> bool:
        if self._idle_cores() >= self._threads - 1:
            return True
        time.sleep(SECOND_LOOK_S)
        return self._idle_cores() >= self._threads - 1

    def warm(self, pixels: NDArray[np.uint8]) -> None:
        """Runs each of them once, those of one thread at the same time: a start waits for it."""
        self._alone(pixels)
        with ThreadPoolExecutor(len(self._beside)) as threads:
            list(threads.map(lambda run: run(pixels), self._beside))

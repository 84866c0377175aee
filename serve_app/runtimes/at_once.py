"""Inferences at the same time in one process: one that is alone takes all threads, and several take one thread each.

So a single photo is answered as soon as the cores allow. Under load, a batch in one thread costs less CPU time than the same batch in two,
which wait for each other at each layer.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import Floats, Run


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


class AtOnce:
    """A `Run` of one network that several threads call at the same time.

    Args:
        alone: the network with all threads.
        beside: the same, as often as it may run at the same time, with one thread each. Further callers wait.
    """

    def __init__(self, alone: Run, beside: Sequence[Run]) -> None:
        self._alone = alone
        self._beside = beside
        self._free: SimpleQueue[Run] = SimpleQueue()
        for each in beside:
            self._free.put(each)

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        """See `Run`."""
        with _running.one_more() as alone:
            if alone:
                return self._alone(pixels)
            run = self._free.get()
            try:
                return run(pixels)
            finally:
                self._free.put(run)

    def warm(self, pixels: NDArray[np.uint8]) -> None:
        """Runs each of them once, those of one thread at the same time: a start waits for it."""
        self._alone(pixels)
        with ThreadPoolExecutor(len(self._beside)) as threads:
            list(threads.map(lambda run: run(pixels), self._beside))

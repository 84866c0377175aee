"""Notices threads that hang: who works in a thread says so, and the health check asks how long the oldest work has taken.

A thread cannot be interrupted in Python, so a hung one is only ended with its process: Serve replaces a replica that is unhealthy.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class HungError(RuntimeError):
    """Some work has taken so long that its thread will not come back."""


class Watch:
    """The work in progress in a replica's threads. All methods may be called from any thread.

    Args:
        limit_s: seconds after which work counts as hung.
        clock: seconds that never go back.
    """

    def __init__(self, limit_s: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._lock = threading.Lock()
        self._working: dict[object, tuple[float, str]] = {}

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Reports work for as long as the block runs; `what` is a noun for the health check's message."""
        key = object()
        with self._lock:
            self._working[key] = (self._clock(), what)
        try:
            yield
        finally:
            with self._lock:
                del self._working[key]

    @property
    def oldest_s(self) -> float:
        """For how many seconds the oldest work in progress has run; 0 when idle."""
        return self._oldest()[0]

    def check(self) -> None:
        """Checks that nothing hangs.

        Raises:
            HungError: some work has run for longer than the limit.
        """
        seconds, what = self._oldest()
        if seconds > self._limit_s:
            raise HungError(f"{what} has run for {seconds:.0f} s, more than the {self._limit_s:g} s of HANG_AFTER_S: its thread hangs")

    def _oldest(self) -> tuple[float, str]:
        with self._lock:
            started, what = min(self._working.values(), default=(math.inf, ""))
        return max(0.0, self._clock() - started), what

"""Photos that killed a decoder process, remembered for a while by their sha256."""

import asyncio
import hashlib
import time
from collections.abc import Callable


class Quarantine:
    """Remembers photos for `seconds` each; the photos themselves are not kept.

    Args:
        seconds: how long a photo stays.
        clock: monotonic seconds.
        capacity: most photos remembered; the oldest go first.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, capacity: int = 10_000) -> None:
        self._seconds = seconds
        self._clock = clock
        self._capacity = capacity
        self._until: dict[str, float] = {}

    async def add(self, image: bytes) -> None:
        """Remembers a photo."""
        digest = await _digest(image)
        self._until.pop(digest, None)
        self._until[digest] = self._clock() + self._seconds
        while len(self._until) > self._capacity:
            del self._until[next(iter(self._until))]

    async def holds(self, image: bytes) -> bool:
        """Whether a photo is remembered. Costs nothing while no photo is."""
        now = self._clock()
        while self._until and (oldest := next(iter(self._until))) and self._until[oldest] <= now:
            del self._until[oldest]
        return bool(self._until) and await _digest(image) in self._until


async def _digest(image: bytes) -> str:
    # 10 MB take 10 ms and more: too long for the event loop.
    return await asyncio.to_thread(lambda: hashlib.sha256(image).hexdigest())

"""Photos that were there when decoder processes died, remembered for a while by their sha256.

A replica that dies takes every photo it held with it, and cannot say why: one of them may have crashed its decoder, or somebody
killed the process, or its machine is gone. The ingress must not try a killer for ever, and must not call an innocent photo corrupt.
So suspicion grows in steps, and an answer clears a photo of all of it:

    no death, or one       it goes together with the others: most deaths are nobody's fault, and all are answered at the next try
    `TOGETHER` deaths      from now on it is tried alone, and only after an experiment without it: replicas must live for a while, and
                           answer a control photo. When one dies in that while, the deaths are not its doing, and it starts afresh
    `ALONE` deaths alone   it is refused: it alone was there, twice, and without it nothing died

Somebody who kills processes at moments of his own would have to hit the same photo at two tries and then twice in the short moment
in which it is tried alone, and nothing in between. A replica that dies of every photo fails the control. One ingress replica does
not see the photos of another, which is why one death alone is not enough.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

TOGETHER = 2
ALONE = 2

DIGEST_AT_ONCE_BYTES = 200_000  # a tenth of a millisecond: about what a thread costs


class Standing(Enum):
    """What is held against a photo."""

    CLEAR = "clear"
    SUSPECT = "suspect"
    CONVICTED = "convicted"


@dataclass(frozen=True)
class _Record:
    deaths: int
    deaths_alone: int
    last: float
    """When the last death was noted: tries that began before it may have ended with the same replica, and do not count again."""


class Quarantine:
    """Remembers photos for `seconds` after their last death; the photos themselves are not kept.

    Args:
        seconds: how long a photo stays.
        clock: monotonic seconds.
        capacity: most photos remembered; the oldest go first.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, capacity: int = 10_000) -> None:
        self._seconds = seconds
        self._clock = clock
        self._capacity = capacity
        self._records: dict[str, _Record] = {}  # the oldest first

    def now(self) -> float:
        """The clock's seconds."""
        return self._clock()

    async def standing(self, image: bytes) -> Standing:
        """What is held against a photo. Costs nothing while nothing is held against any."""
        self._forget_the_old()
        record = self._records.get(await _digest(image)) if self._records else None
        if record is None or record.deaths < TOGETHER:
            return Standing.CLEAR
        return Standing.CONVICTED if record.deaths_alone >= ALONE else Standing.SUSPECT

    async def died(self, image: bytes, began: float, *, alone: bool) -> None:
        """Notes that a replica died while it had this photo.

        Args:
            began: when the try began, on the quarantine's clock.
            alone: nothing else was there.
        """
        digest = await _digest(image)
        record = self._records.get(digest, _Record(0, 0, float("-inf")))
        if began <= record.last:
            return
        self._records.pop(digest, None)
        self._records[digest] = _Record(record.deaths + 1, record.deaths_alone + alone, self.now())
        while len(self._records) > self._capacity:
            del self._records[next(iter(self._records))]

    async def clear(self, image: bytes) -> None:
        """Forgets what was held against a photo."""
        if self._records:
            self._records.pop(await _digest(image), None)

    def _forget_the_old(self) -> None:
        while self._records and self.now() - self._records[oldest := next(iter(self._records))].last >= self._seconds:
            del self._records[oldest]


async def _digest(image: bytes) -> str:
    if len(image) <= DIGEST_AT_ONCE_BYTES:
        return hashlib.sha256(image).hexdigest()
    # 10 MB take 10 ms and more: too long for the event loop.
    return await asyncio.to_thread(lambda: hashlib.sha256(image).hexdigest())

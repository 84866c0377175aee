"""Admission: limits on photos and bytes in flight. What does not fit is refused at once as `overloaded`, with a Retry-After.

Streams wait instead: their clients send no faster than that.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve_app.codes import MEANINGS, Code
from serve_app.http.faults import RETRY_AFTER_S, Refused

Take = Callable[[int], None]

LEAST_PHOTOS = 8  # always admitted: they fill a batch, and their answers give the pace
WINDOW = 32  # answers over which the pace is measured
ENOUGH = 8  # answers without which there is no pace yet
MAX_RETRY_AFTER_S = 10
SHARE_OF_STREAMS = 0.5  # of the places: streams take all that they get, and other requests do not wait, they are refused

_OF_A_MODEL = {code for code in Code if MEANINGS[code].status == 200}  # only these are sure to have passed through one
_OF_THE_FILE = {Code.NOT_AN_IMAGE, Code.IMAGE_TOO_LARGE, Code.CORRUPT_IMAGE}


class Changes:
    """Lets others wait until what they need has come true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until `condition` holds; it holds still when this returns."""
        while not condition():
            change = asyncio.get_running_loop().create_future()
            self._waiting.add(change)
            try:
                await change
            finally:
                self._waiting.discard(change)

    def tell(self) -> None:
        """There was a change."""
        for change in self._waiting:
            if not change.done():
                change.set_result(None)


class Budget:
    """A counter with a limit, for one event loop.

    Args:
        limit: the most that may be held at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_use = 0
        self._changes = Changes()

    @property
    def in_use(self) -> int:
        """What is held now."""
        return self._in_use

    async def until_fits(self, amount: int) -> None:
        """Waits until `amount` fits; taken at once, it does."""
        await self._changes.until(lambda: self._in_use + amount <= self._limit)

    @contextmanager
    def hold(self, amount: int = 0) -> Iterator[Take]:
        """Holds `amount`, and what the yielded function adds, until the block is left; a negative amount is given back.

        Raises:
            Refused: `overloaded`: it does not fit, now or later.
        """
        held = 0

        def take(more: int) -> None:
            nonlocal held
            if self._in_use + more > self._limit:
                raise Refused(Code.OVERLOADED)
            self._in_use += more
            held += more
            if more < 0:
                self._changes.tell()

        try:
            take(amount)
            yield take
        finally:
            self._in_use -= held
            self._changes.tell()


class PhotoInFlight:
    """A photo in the graph. Without an `ended` it took the models' time and got no answer."""

    def __init__(self, share_before: float) -> None:
        self.share_before = share_before
        self.code: Code | None = None
        self.cost = 1

    def ended(self, code: Code, cost: int = 1) -> None:
        """The graph gave it this code, and took as long for it as for so many photos."""
        self.code, self.cost = code, cost


class Pace:
    """Seconds per photo of the graph as a whole, over its last answers.

    Only time with photos in flight counts, so an idle service does not look slow; it counts up to now, so a service that has stopped
    answering does. With few photos in flight the models are partly idle and the pace is too pessimistic; it improves as more are
    admitted.

    Each moment is shared out equally among the photos in flight. A file that is refused as no good image says nothing about the
    models: its share is taken back, or a flood of such files, whose ends are no answers, would look like slow models.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight = 0
        self._now = clock()
        self._busy = 0.0  # seconds with photos in flight, without the shares of refused files
        self._share = 0.0  # seconds that a photo would have got that was in flight all the time
        self._answers: deque[tuple[float, int]] = deque(maxlen=WINDOW)  # busy seconds at the time of each, and its cost in photos

    @contextmanager
    def photo(self) -> Iterator[PhotoInFlight]:
        """One photo, in flight until the block is left."""
        self._advance()
        self._in_flight += 1
        photo = PhotoInFlight(self._share)
        try:
            yield photo
        finally:
            self._advance()
            self._in_flight -= 1
            if photo.code in _OF_A_MODEL:
                self._answers.append((self._busy, photo.cost))
            elif photo.code in _OF_THE_FILE:
                self._busy -= self._share - photo.share_before

    @property
    def seconds_per_photo(self) -> float | None:
        """Busy seconds between two answers; None before there are enough."""
        if len(self._answers) < ENOUGH:
            return None
        self._advance()
        (since, first), photos = self._answers[0], sum(cost for _, cost in self._answers)
        return max(self._busy - since, 0.0) / (photos - first)

    def _advance(self) -> None:
        now = self._clock()
        if self._in_flight:
            self._busy += now - self._now
            self._share += (now - self._now) / self._in_flight
        self._now = now


class PhotoAdmission:
    """Admits as many photos as will be answered in time at the present pace.

    With a fixed limit alone, a slow model would work on photos whose deadline passes before their turn, and all its work would be lost.

    Args:
        most: the most photos in flight, at any pace.
        within_s: seconds within which the photos in flight should be answered.
        pace: of the same photos.
    """

    def __init__(self, most: int, within_s: float, pace: Pace) -> None:
        self._most = most
        self._within_s = within_s
        self._pace = pace
        self._in_flight = 0
        self._changes = Changes()

    @property
    def limit(self) -> int:
        """Photos that may be in flight at the present pace."""
        seconds = self._pace.seconds_per_photo
        if seconds is None:
            return min(self._most, LEAST_PHOTOS)
        return min(self._most, max(LEAST_PHOTOS, int(self._within_s / max(seconds, 1e-6))))

    def check(self, photos: int = 1) -> None:
        """Checks whether `photos` more would be admitted. An idle service takes any batch up to `most`.

        Raises:
            Refused: `overloaded`, with the seconds until there should be room.
        """
        excess = self._in_flight + photos - (self.limit if self._in_flight else self._most)
        if excess > 0:
            wait = math.ceil(excess * (self._pace.seconds_per_photo or 0.0))
            raise Refused(Code.OVERLOADED, retry_after_s=min(max(wait, RETRY_AFTER_S), MAX_RETRY_AFTER_S))

    async def until_room(self) -> None:
        """Waits until there is room for a photo of a stream; admitted at once, it fits."""
        # The limit follows the pace, which changes when photos end; without any in flight there is room.
        await self._changes.until(lambda: self._in_flight < max(1, int(self.limit * SHARE_OF_STREAMS)))

    @contextmanager
    def admit(self, photos: int) -> Iterator[None]:
        """Counts `photos` as in flight until the block is left.

        Raises:
            Refused: see `check`.
        """
        self.check(photos)
        self._in_flight += photos
        try:
            yield
        finally:
            self._in_flight -= photos
            self._changes.tell()

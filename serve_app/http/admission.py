"""Admission: what the service works on at a time is bounded, and what does not fit is refused at once instead of waiting."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve_app.codes import Code
from serve_app.http.faults import RETRY_AFTER_S, Refused
from serve_app.http.pace import Pace

Take = Callable[[int], None]

LEAST_PHOTOS = 8  # let in however slow the models are, and at first: they fill a batch, and from their answers the pace is known
MAX_RETRY_AFTER_S = 10


class Budget:
    """A counter with a limit, for one event loop.

    Args:
        limit: most that may be held at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """What is held now."""
        return self._in_use

    @contextmanager
    def hold(self, amount: int = 0) -> Iterator[Take]:
        """Holds `amount`, and what is taken on top through the yielded function, until the block is left.

        Raises:
            Refused: `overloaded`: it does not fit, now or when taking more.
        """
        held = 0

        def take(more: int) -> None:
            nonlocal held
            if self._in_use + more > self._limit:
                raise Refused(Code.OVERLOADED)
            self._in_use += more
            held += more

        try:
            take(amount)
            yield take
        finally:
            self._in_use -= held


class PhotoAdmission:
    """Lets in as many photos as will be answered in time at the pace of the last answers.

    A fixed number alone would let a slow model work on photos whose deadline passes before their turn: all of its work would be lost.

    Args:
        most: photos in flight that are never exceeded.
        within_s: seconds in which what is in flight should be answered.
        pace: is told what goes in and out.
    """

    def __init__(self, most: int, within_s: float, pace: Pace) -> None:
        self._most = most
        self._within_s = within_s
        self._pace = pace
        self._in_flight = 0

    @property
    def limit(self) -> int:
        """Photos that may be in flight now."""
        seconds = self._pace.seconds_per_photo
        if seconds is None:
            return min(self._most, LEAST_PHOTOS)
        return min(self._most, max(LEAST_PHOTOS, int(self._within_s / max(seconds, 1e-6))))

    def check(self, photos: int = 1) -> None:
        """Raises when `photos` more would not be let in. An idle service takes a batch of any size up to `most`.

        Raises:
            Refused: `overloaded`, with the seconds until there should be room.
        """
        excess = self._in_flight + photos - (self.limit if self._in_flight else self._most)
        if excess > 0:
            wait = math.ceil(excess * (self._pace.seconds_per_photo or 0.0))
            raise Refused(Code.OVERLOADED, retry_after_s=min(max(wait, RETRY_AFTER_S), MAX_RETRY_AFTER_S))

    @contextmanager
    def admit(self, photos: int) -> Iterator[None]:
        """Keeps `photos` in flight until the block is left.

        Raises:
            Refused: see `check`.
        """
        self.check(photos)
        self._in_flight += photos
        self._pace.began(photos)
        try:
            yield
        finally:
            self._in_flight -= photos
            self._pace.ended(photos)

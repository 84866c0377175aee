"""How fast photos are answered, measured while there are any."""

import time
from collections import deque
from collections.abc import Callable

WINDOW = 32  # answers that the pace is measured over
ENOUGH = 8  # with fewer answers there is no pace yet


class Pace:
    """Seconds per photo of the graph as a whole, over its last answers.

    Only the time counts in which photos are in flight, so an idle service does not look slow; and it counts up to now, so one that
    has stopped answering does. With few photos in flight the models are not busy, and the pace is slower than it could be: it is a
    lower bound that gets better the more is let in.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight = 0
        self._busy_before = 0.0
        self._busy_since = 0.0
        self._answers: deque[float] = deque(maxlen=WINDOW)  # busy seconds at each

    def began(self, photos: int) -> None:
        """Photos were sent into the graph."""
        if not self._in_flight:
            self._busy_since = self._clock()
        self._in_flight += photos

    def ended(self, photos: int) -> None:
        """Photos came back, with an answer or without."""
        self._in_flight -= photos
        if not self._in_flight:
            self._busy_before += self._clock() - self._busy_since

    def answered(self) -> None:
        """One of the photos in flight was answered by the models."""
        self._answers.append(self._busy())

    @property
    def seconds_per_photo(self) -> float | None:
        """Busy seconds between two answers; None while there were too few."""
        if len(self._answers) < ENOUGH:
            return None
        return (self._busy() - self._answers[0]) / (len(self._answers) - 1)

    def _busy(self) -> float:
        return self._busy_before + (self._clock() - self._busy_since if self._in_flight else 0.0)

"""Admission: what the service works on at a time is bounded, and what does not fit is refused at once instead of waiting."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve_app.codes import Code
from serve_app.faults import Refused

Take = Callable[[int], None]


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

"""Calls that are made together, and calls that are made alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Lanes:
    """A lock with two sides, for one event loop: any number inside `together`, or one inside `alone`.

    Who wants to be alone goes first: those that come later wait until nobody wants that any more.
    """

    def __init__(self) -> None:
        self._together = 0
        self._want_to_be_alone = 0
        self._turn = asyncio.Lock()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def open(self) -> bool:
        """Whether nobody is alone, or wants to be."""
        return not self._want_to_be_alone

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Waits until nobody is alone, or wants to be; others may be inside as well."""
        await self._until(lambda: self.open)
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            self._wake()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Waits until nobody else is inside, and keeps the others out."""
        self._want_to_be_alone += 1
        try:
            async with self._turn:
                await self._until(lambda: not self._together)
                yield
        finally:
            self._want_to_be_alone -= 1
            self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        # No asyncio.Condition: leaving must not wait, or a second cancellation could leave the counters wrong.
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

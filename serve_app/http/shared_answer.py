"""One answer for all who ask within a second: questions that cost more than they tell when many ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

TRUST_S = 1.0

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """Asks at most once in `TRUST_S`, and one question at a time; a failure is told to those who wait for it, and not kept.

    Args:
        ask: the question.
        clock: monotonic seconds.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asking: asyncio.Task[T] | None = None
        self._answered_at = float("-inf")

    async def __call__(self) -> T:
        """The answer, at most `TRUST_S` old."""
        if self._asking is None or (self._asking.done() and self._clock() - self._answered_at >= TRUST_S):
            self._asking = asyncio.ensure_future(self._fly())
        # Shielded: a client that hangs up must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def _fly(self) -> T:
        answer = await self._ask()
        self._answered_at = self._clock()
        return answer

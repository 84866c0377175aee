"""Fake deployment handles, with outcomes chosen by the test."""

import asyncio
from typing import Any


class Call:
    """A pending call of a deployment, as `handle.method.remote()` returns it."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome
        self.cancelled = False

    def __await__(self) -> Any:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        if isinstance(self._outcome, asyncio.Event):
            await self._outcome.wait()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Cancels the call."""
        self.cancelled = True


class Handle:
    """Base of fake handles: every transport behaves alike, and the last one used is recorded."""

    by_reference: bool | None = None

    def options(self, *, _by_reference: bool) -> "OneTransport":
        """This handle over one transport."""
        return OneTransport(self, _by_reference)


class OneTransport:
    """A handle with a fixed transport."""

    def __init__(self, handle: Handle, by_reference: bool) -> None:
        self._handle = handle
        self._by_reference = by_reference

    def __getattr__(self, method: str) -> Any:
        self._handle.by_reference = self._by_reference
        return getattr(self._handle, method)


class Method:
    """A fake method of a deployment: yields its outcomes in order, and repeats the last one.

    An outcome is a value, an exception to raise, an event to wait for, or a function of the arguments that gives one of these.
    """

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[Any, ...]] = []
        self.pending: list[Call] = []
        self._called = asyncio.Event()

    async def has_calls(self, count: int) -> None:
        """Waits until there have been `count` calls."""
        while len(self.calls) < count:
            self._called.clear()
            await self._called.wait()

    def remote(self, *args: Any) -> Call:
        """Starts a call."""
        self.calls.append(args)
        self._called.set()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        self.pending.append(Call(outcome(*args) if callable(outcome) else outcome))
        return self.pending[-1]

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

    def broadcast(self, method: str) -> "Broadcast":
        """Calls the method of all replicas."""
        return Broadcast(self.replicas_of(method))

    def replicas_of(self, method: str) -> list["Method"]:
        """The method of each replica: by default there is one."""
        return [getattr(self, method)]

    def options(self, *, _by_reference: bool) -> "OneTransport":
        """This handle over one transport."""
        return OneTransport(self, _by_reference)


class Broadcast:
    """A pending call of all replicas."""

    def __init__(self, replicas: list["Method"]) -> None:
        self._calls = [method.remote() for method in replicas]

    async def results_async(self, *, timeout_s: float, return_exceptions: bool) -> list[Any]:
        """All results, or a TimeoutError when one is late."""
        results = asyncio.gather(*(call._answer() for call in self._calls), return_exceptions=return_exceptions)
        return list(await asyncio.wait_for(results, timeout_s))


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

"""Calls to a deployment's replicas: over which transport, whether one died under the call, and whether any takes calls now."""

import asyncio
from typing import Any

from serve_app.graph.ray_internals import GRPC_MAX_BYTES, Handle, by_reference, is_death, over_grpc

PATIENCE_S = 1.0  # after so long without an answer, a call starts a probe
PROBE_WAIT_S = 5.0  # then the probe is sent again: the replica that took it may be on a machine that is gone
PROBE_PAUSE_S = 0.2

OF_THE_CLASSIFIER = "_of_the_classifier"
"""Suffix of the classifier's methods where both models are one deployment (`colocated`)."""


class ReplicaDiedError(Exception):
    """The replica died under the call, which may have been executed. All our calls can be repeated."""


class NobodyThereError(Exception):
    """No replica takes calls: all are loading, dead, or full."""


class Replicas:
    """Calls one deployment, and knows whether a replica takes calls.

    Serve's router keeps a call until some replica takes it, however long that is. So when a call finds its replica dead, or stays
    without an answer for `PATIENCE_S`, one probe is sent for everybody, and later calls can wait for its answer instead of waiting
    in the router.

    Args:
        handle: of a deployment with a method `describe` that answers at once.
        suffix: of the names of its methods, where a deployment has two models.
    """

    def __init__(self, handle: Handle, suffix: str = "") -> None:
        self._suffix = suffix
        self._handle = handle
        self._by_reference = by_reference(handle)
        self._over_grpc = over_grpc(handle)
        self._there = asyncio.Event()
        self._probe: asyncio.Task[None] | None = None

    @property
    def there(self) -> bool:
        """Whether a replica took calls when we last heard of one."""
        return self._there.is_set()

    async def wait_until_there(self, seconds: float | None = None) -> None:
        """Waits until a replica takes calls.

        Raises:
            NobodyThereError: none did for `seconds`; with None, the caller has a deadline of its own.
        """
        if self.there:
            return
        self._doubt()
        try:
            async with asyncio.timeout(seconds):
                await self._there.wait()
        except TimeoutError:
            raise NobodyThereError from None

    async def call(self, method: str, *args: Any, answer_bytes: int = 0) -> Any:
        """Calls a method. When the caller is cancelled the replica is told, or it would go on working for nobody.

        Args:
            answer_bytes: how large the answer may be, if that matters.

        Raises:
            ReplicaDiedError: the replica died under the call.
            Exception: raised by the method or by Serve.
        """
        argument_bytes = sum(len(argument) for argument in args if isinstance(argument, bytes))
        small = max(argument_bytes, answer_bytes) <= GRPC_MAX_BYTES
        response: Any = self._method(method, small).remote(*args)
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._doubt)
        try:
            result = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except Exception as error:
            if not is_death(error):
                raise
            self._doubt()
            raise ReplicaDiedError from error
        finally:
            patience.cancel()
        self._there.set()
        return result

    async def ask_each(self, method: str, seconds: float) -> list[Any]:
        """Calls a method of every replica; the answers of those that did not die under the call, in no particular order.

        Raises:
            TimeoutError: at least one replica has not answered after `seconds`.
            Exception: raised by Serve when there is no replica.
        """
        answers = await self._handle.broadcast(method + self._suffix).results_async(timeout_s=seconds, return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    def _method(self, name: str, small: bool = True) -> Any:
        return getattr(self._over_grpc if small else self._by_reference, name + self._suffix)

    def _doubt(self) -> None:
        self._there.clear()
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._probe_until_there())

    async def _probe_until_there(self) -> None:
        while not self.there:
            response: Any = self._method("describe").remote()
            try:
                async with asyncio.timeout(PROBE_WAIT_S):
                    await response
            except TimeoutError:
                response.cancel()
            except Exception:
                await asyncio.sleep(PROBE_PAUSE_S)
            else:
                self._there.set()

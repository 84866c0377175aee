"""A deployment's replicas as the ingress sees them: calls, deaths, and whether anybody is there to take a call."""

import asyncio
from typing import Any

import grpc
from ray.exceptions import ObjectLostError, RayActorError
from ray.serve.handle import DeploymentHandle

PATIENCE_S = 1.0  # a call that is unanswered for so long raises the question whether anybody is there
PROBE_WAIT_S = 5.0  # an unanswered question is asked anew: the replica that took it may be on a machine that is gone
PROBE_PAUSE_S = 0.2

# A call over gRPC costs half of one by reference, but Serve's channels take 4 MB (RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH).
GRPC_MAX_BYTES = 3_000_000

# By reference a dead replica is an ActorDiedError and its results are lost objects; over gRPC it is an ActorUnavailableError.
_DIED = (RayActorError, ObjectLostError)


class ReplicaDiedError(Exception):
    """The replica died under the call. It may have been executed; ours may be repeated."""


class NobodyThereError(Exception):
    """No replica takes calls: they are still loading, have died, or are full."""


class Replicas:
    """Calls one deployment, and knows whether it is there.

    Serve's router keeps a call until some replica takes it, however long that is. So when a call finds its replica dead, or stays
    without an answer for `PATIENCE_S`, one probe asks for a sign of life on behalf of everybody, and who comes later can wait for
    its answer instead of waiting in the router.

    Args:
        handle: of a deployment with a method `describe` that answers at once.
    """

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._any_size = handle.options(_by_reference=True)
        self._over_grpc = handle.options(_by_reference=False)
        self._there = asyncio.Event()
        self._probe: asyncio.Task[None] | None = None

    @property
    def there(self) -> bool:
        """Whether the last thing known is that a replica takes calls."""
        return self._there.is_set()

    async def wait_until_there(self, seconds: float | None = None) -> None:
        """Waits until a replica takes calls.

        Raises:
            NobodyThereError: none did for `seconds`; None leaves it to the caller's own deadline.
        """
        if self.there:
            return
        self._doubt()
        try:
            async with asyncio.timeout(seconds):
                await self._there.wait()
        except TimeoutError:
            raise NobodyThereError from None

    async def call(self, method: str, *args: Any) -> Any:
        """Calls a method. The callee is told when nobody waits any more: a deadline alone would leave it working.

        Raises:
            ReplicaDiedError: the replica died under the call.
            Exception: what the method or Serve raised.
        """
        small = sum(len(argument) for argument in args if isinstance(argument, bytes)) <= GRPC_MAX_BYTES
        response: Any = getattr(self._over_grpc if small else self._any_size, method).remote(*args)
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._doubt)
        try:
            result = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except Exception as error:
            if not _is_death(error):
                raise
            self._doubt()
            raise ReplicaDiedError from error
        finally:
            patience.cancel()
        self._there.set()
        return result

    def _doubt(self) -> None:
        self._there.clear()
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while not self.there:
            response: Any = self._over_grpc.describe.remote()
            try:
                async with asyncio.timeout(PROBE_WAIT_S):
                    await response
            except TimeoutError:
                response.cancel()
            except Exception:
                await asyncio.sleep(PROBE_PAUSE_S)
            else:
                self._there.set()


def _is_death(error: Exception) -> bool:
    if isinstance(error, grpc.aio.AioRpcError):
        return bool(error.code() is grpc.StatusCode.UNAVAILABLE)
    return isinstance(error, _DIED)

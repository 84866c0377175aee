"""Deployments that were scaled to zero. A call would wake them, so who only wants to know how they are asks the controller."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ray import serve

CONTROLLER_WAIT_S = 1.0


class Sleep:
    """Knows whether any of an application's deployments sleeps.

    Args:
        application: its name.
        deployments: names of those that may.
    """

    def __init__(self, application: str, deployments: Iterable[str]) -> None:
        self._application = application
        self._deployments = list(deployments)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sleep")  # Serve's call blocks, for long while the controller is away

    async def any(self) -> bool:
        """Whether one has no replica, not even one that starts; False when the controller does not say."""
        try:
            async with asyncio.timeout(CONTROLLER_WAIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
        except Exception:  # of the controller: what it cannot say, a call will find out
            return False

    def _ask(self) -> bool:
        deployments = serve.status().applications[self._application].deployments
        return any(not sum(deployments[name].replica_states.values()) for name in self._deployments)

"""Whether a deployment is scaled to zero. A call would wake it, so /health asks Serve's controller first."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ray import serve

CONTROLLER_WAIT_S = 1.0


class ScaleToZero:
    """Watches an application's deployments.

    Args:
        application: its name.
        deployments: names of those that may be scaled to zero.
    """

    def __init__(self, application: str, deployments: Iterable[str]) -> None:
        self._application = application
        self._deployments = list(deployments)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scale-to-zero")  # Serve's call blocks while the controller is away

    async def any(self) -> bool:
        """Whether one has no replica, not even a starting one; False when the controller does not answer."""
        try:
            async with asyncio.timeout(CONTROLLER_WAIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
        except Exception:  # whatever the controller's fault is, a call to the models will show their state
            return False

    def _ask(self) -> bool:
        deployments = serve.status().applications[self._application].deployments
        return any(not sum(deployments[name].replica_states.values()) for name in self._deployments)

"""The place of one replica's model: loaded, warmed, and exchanged for another while requests go on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)

Model = TypeVar("Model")
UserConfig = dict[str, Any]


class ModelSlot(Generic[Model]):
    """Holds the current model; `take_up` prepares the next one beside it and swaps one reference.

    Callers read `current` once per request and use that object throughout, so one answer never mixes models.

    Args:
        load: makes a model from a user_config; runs in a thread.
        warm: runs a model once, so that the first request finds it fast.
    """

    def __init__(self, load: Callable[[UserConfig], Model], warm: Callable[[Model], Awaitable[None]]) -> None:
        self._load = load
        self._warm = warm
        self._current: Model | None = None
        self._wanted: UserConfig = {}
        self._pending: asyncio.Task[None] | None = None
        self.fault: str | None = None

    @property
    def current(self) -> Model:
        """The model in use.

        Raises:
            RuntimeError: the first one is not loaded yet.
        """
        if self._current is None:
            raise RuntimeError("no model is loaded yet")
        return self._current

    async def take_up(self, config: UserConfig) -> None:
        """Takes up a user_config.

        The first call returns when the model is ready, and raises when it cannot be had: the replica then does not start. Later calls
        return at once, because Serve routes nothing to a replica that is being reconfigured; the exchange happens behind the
        requests, and when it fails the old model stays and `fault` says why.
        """
        self._wanted = config
        if self._current is None:
            await self._exchange()
        elif self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(self._follow())

    async def settled(self) -> None:
        """Waits until the latest user_config is in use or has failed."""
        if self._pending is not None:
            await self._pending

    async def _follow(self) -> None:
        """Exchanges until what is in use is what was wanted last."""
        while True:
            config = self._wanted
            try:
                await self._exchange()
            except Exception as error:
                logger.error("the model was not exchanged, the old one stays: %s", error)
                self.fault = str(error)
            if config is self._wanted:
                return

    async def _exchange(self) -> None:
        model = await asyncio.to_thread(self._load, self._wanted)
        await self._warm(model)
        self._current, self.fault = model, None

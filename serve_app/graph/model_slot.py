"""A replica's model: loaded, warmed up, and exchanged for another one without interrupting requests."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from serve_app.priority import in_thread_that_gives_way

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 5.0  # before an exchange that failed is tried again; twice as long each time
LONGEST_PAUSE_S = 300.0

Model = TypeVar("Model")
UserConfig = dict[str, Any]


class ModelSlot(Generic[Model]):
    """Holds the current model; `apply` prepares the next one beside it and swaps one reference.

    Callers read `current` once per request and keep that object, so no answer mixes two models.

    Args:
        load: makes a model from a user_config; runs in a thread.
        warm: runs a model once, so that the first request finds it fast.
        first_pause_s: seconds before an exchange that failed is tried again.
        taken_up: is told of each model once it is in use.
    """

    def __init__(
        self,
        load: Callable[[UserConfig], Model],
        warm: Callable[[Model], Awaitable[None]],
        first_pause_s: float = FIRST_PAUSE_S,
        taken_up: Callable[[Model], None] = lambda model: None,
    ) -> None:
        self._load = load
        self._warm = warm
        self._taken_up = taken_up
        self._first_pause_s = first_pause_s
        self._current: Model | None = None
        self._wanted: UserConfig = {}
        self._pending: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # another user_config is wanted
        self._settled = asyncio.Event()
        self.fault: str | None = None

    @property
    def loaded(self) -> Model | None:
        """The model in use, if one is loaded."""
        return self._current

    @property
    def current(self) -> Model:
        """The model in use.

        Raises:
            RuntimeError: the first one is not loaded yet.
        """
        if self._current is None:
            raise RuntimeError("no model is loaded yet")
        return self._current

    async def apply(self, config: UserConfig) -> None:
        """Loads the model that a user_config names.

        The first call returns when the model is ready, and raises when it cannot be loaded: the replica then does not start. Later
        calls return at once, because Serve routes nothing to a replica that is being reconfigured; the exchange happens in the
        background. While it fails, the old model stays, `fault` says why, and it is tried again after ever longer pauses.
        """
        self._wanted = config
        if self._current is None:
            await self._exchange()
            self._settled.set()
            return
        self.want(config)

    def want(self, config: UserConfig) -> None:
        """As later calls of `apply`, also the first time: the model is loaded in the background."""
        self._wanted = config
        self._settled.clear()
        self._news.set()
        if self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(self._follow())

    def close(self) -> None:
        """Gives up an exchange that is under way."""
        if self._pending is not None:
            self._pending.cancel()

    async def settled(self) -> None:
        """Waits until the latest user_config is applied, or has failed once."""
        await self._settled.wait()

    async def _follow(self) -> None:
        """Exchanges until the latest user_config is applied."""
        pause_s = self._first_pause_s
        while True:
            config = self._wanted
            self._news.clear()
            try:
                await self._exchange()
            except Exception as error:
                logger.error("the model was not loaded, the one before stays if there is one: %s", error)
                self.fault = str(error)
            if config is not self._wanted:
                pause_s = self._first_pause_s
                continue
            self._settled.set()
            if self.fault is None:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
            pause_s = self._first_pause_s if self._news.is_set() else min(2 * pause_s, LONGEST_PAUSE_S)

    async def _exchange(self) -> None:
        model = await in_thread_that_gives_way(self._load, self._wanted)
        await self._warm(model)
        self._current, self.fault = model, None
        self._taken_up(model)

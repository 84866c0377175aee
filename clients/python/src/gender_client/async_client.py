"""The client for asyncio: the same calls as `Client`, to be awaited."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from gender_client import requests
from gender_client.errors import ClientError
from gender_client.models import Answer, BatchItem, Health
from gender_client.photos import Photo
from gender_client.retries import Attempts

P = TypeVar("P", bound=Photo)


class AsyncClient:
    """Asks the service, and asks again where that helps. Arguments, answers and errors are those of `Client`."""

    def __init__(
        self,
        url: str = requests.URL,
        *,
        key: str | None = None,
        deadline_s: float = requests.DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._http = httpx.AsyncClient(**requests.options(url, key), transport=transport)
        self._deadline_s = deadline_s
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def predict(self, photo: Photo) -> Answer:
        """See `Client.predict`."""
        return requests.answer(await self._send(await asyncio.to_thread(requests.predict, photo)))

    async def predict_batch(self, photos: Iterable[Photo], size: int = requests.BATCH) -> AsyncIterator[BatchItem]:
        """See `Client.predict_batch`."""
        for batch in requests.batches(photos, size):
            for item in requests.items(await self._send(await asyncio.to_thread(requests.predict_batch, batch))):
                yield item

    async def predict_many(self, photos: Iterable[P], parallel: int = 4) -> AsyncGenerator[tuple[P, Answer | ClientError | OSError], None]:
        """See `Client.predict_many`."""
        waiting: deque[tuple[P, asyncio.Task[Answer]]] = deque()
        try:
            for photo in photos:
                waiting.append((photo, asyncio.create_task(self.predict(photo))))
                if len(waiting) >= parallel:
                    yield await _outcome(*waiting.popleft())
            while waiting:
                yield await _outcome(*waiting.popleft())
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

    async def health(self) -> Health:
        """See `Client.health`."""
        return requests.health(await self._send(requests.get("/health")))

    async def cards(self) -> dict[str, Any]:
        """See `Client.cards`."""
        return requests.cards(await self._send(requests.get("/model")))

    async def _send(self, request: requests.Request) -> httpx.Response:
        attempts = Attempts(self._deadline_s)
        while True:
            try:
                response = await self._http.request(**request, timeout=attempts.left_s)
            except httpx.TransportError as error:
                await self._sleep(attempts.after_error(error))
                continue
            wait = attempts.after(response)
            if wait is None:
                return response
            await self._sleep(wait)


async def _outcome(photo: P, task: asyncio.Task[Answer]) -> tuple[P, Answer | ClientError | OSError]:
    try:
        return photo, await task
    except (ClientError, OSError) as error:
        return photo, error

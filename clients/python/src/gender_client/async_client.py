"""The client for asyncio: the same calls as `Client`, to be awaited."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from gender_client import requests
from gender_client.errors import ClientError
from gender_client.models import Answer, BatchItem, ExplainedAnswer, Health
from gender_client.photos import Photo
from gender_client.requests import People
from gender_client.retries import Attempts
from gender_client.streams import PARALLEL, STREAM, Outcome, Part, has_lines, is_too_old

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
        self._has_streams = True  # as far as is known
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    @overload
    async def predict(self, photo: Photo, *, people: People = "one", explain: Literal[False] = False) -> Answer: ...
    @overload
    async def predict(self, photo: Photo, *, people: People = "one", explain: Literal[True]) -> ExplainedAnswer: ...
    async def predict(self, photo: Photo, *, people: People = "one", explain: bool = False) -> Answer:
        """See `Client.predict`."""
        response = await self._send(await asyncio.to_thread(requests.predict, photo, people, explain))
        return requests.explained(response) if explain else requests.answer(response)

    async def predict_batch(
        self, photos: Iterable[Photo], size: int = requests.BATCH, *, people: People = "one"
    ) -> AsyncIterator[BatchItem]:
        """See `Client.predict_batch`."""
        for batch in requests.batches(photos, size):
            for item in requests.items(await self._send(await asyncio.to_thread(requests.predict_batch, batch, people))):
                yield item

    async def stream(
        self, photos: Iterable[Photo], *, people: People = "one", parallel: int = PARALLEL
    ) -> AsyncGenerator[tuple[int, Answer | ClientError | OSError], None]:
        """See `Client.stream`."""
        outcomes: asyncio.Queue[tuple[int, Outcome] | None] = asyncio.Queue()
        parts = (Part(part, people, self._deadline_s) for part in requests.batches(enumerate(photos), STREAM))
        asking: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(asking) < parallel and (part := next(parts, None)):
                    task = asyncio.create_task(self._ask_about(part, people, outcomes.put_nowait))
                    task.add_done_callback(lambda _: outcomes.put_nowait(None))
                    asking.add(task)
                if not asking:
                    return
                if (outcome := await outcomes.get()) is not None:
                    yield outcome
                for task in [task for task in asking if task.done() and outcomes.empty()]:
                    asking.remove(task)
                    task.result()
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

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

    async def _ask_about(self, part: Part, people: People, put: Callable[[tuple[int, Outcome]], None]) -> None:
        """Puts an outcome for each photo."""
        try:
            while part.left:
                try:
                    pause = await self._stream(part, people, put)
                except httpx.TransportError as error:
                    pause = part.pause_after(error)
                if part.left:
                    await self._sleep(pause)
        except ClientError as error:
            part.give_up(error)
        for outcome in part.found():
            put(outcome)

    async def _stream(self, part: Part, people: People, put: Callable[[tuple[int, Outcome]], None]) -> float:
        """Makes one request about a part; returns the pause before another one."""

        async def body() -> AsyncIterator[bytes]:
            for index in list(part.left):
                yield await asyncio.to_thread(part.chunk, index)
            yield part.end

        if self._has_streams:
            async with self._http.stream(**part.request(), content=body()) as response:
                if has_lines(response):
                    async for line in response.aiter_lines():
                        part.line(line)
                        for outcome in part.found():
                            put(outcome)
                else:
                    await response.aread()
            for outcome in part.found():  # of photos that cannot be read
                put(outcome)
            if not part.left:
                return 0.0
            if not is_too_old(response):
                return part.pause(response)
            self._has_streams = False
        for index, photo in list(part.left.items()):
            put((index, await self._outcome(photo, people)))
            del part.left[index]
        return 0.0

    async def _outcome(self, photo: Photo, people: People) -> Outcome:
        try:
            return await self.predict(photo, people=people)
        except (ClientError, OSError) as error:
            return error

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

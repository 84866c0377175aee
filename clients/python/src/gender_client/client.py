"""The client for ordinary programs. Threads may share one."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
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


class Client:
    """Asks the service, and asks again where that helps.

    Args:
        url: the service's address, with its public prefix if it has one.
        key: an API key, for a service that wants one.
        deadline_s: seconds for one call with all its attempts.
        transport: httpx's, for tests and proxies.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        url: str = requests.URL,
        *,
        key: str | None = None,
        deadline_s: float = requests.DEADLINE_S,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http = httpx.Client(**requests.options(url, key), transport=transport)
        self._deadline_s = deadline_s
        self._has_streams = True  # as far as is known
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    @overload
    def predict(self, photo: Photo, *, people: People = "one", explain: Literal[False] = False) -> Answer: ...
    @overload
    def predict(self, photo: Photo, *, people: People = "one", explain: Literal[True]) -> ExplainedAnswer: ...
    def predict(self, photo: Photo, *, people: People = "one", explain: bool = False) -> Answer:
        """The answer about one photo. That there is nobody in it, or more than one person, is an answer, too.

        Args:
            people: "each" answers about each of several people, in the answer's `people`.
            explain: finds out what the answer about one person hangs on; takes the work of ten photos.

        Raises:
            ServiceError: it is no photo, or the service failed or stayed busy until the deadline.
            Unreachable: the service could not be asked until the deadline.
            OSError: the photo cannot be read.
        """
        response = self._send(requests.predict(photo, people, explain))
        return requests.explained(response) if explain else requests.answer(response)

    def predict_batch(self, photos: Iterable[Photo], size: int = requests.BATCH, *, people: People = "one") -> Iterator[BatchItem]:
        """The answers about many photos in their order, `size` in a request; the fault of a photo is the code of its item.

        Raises:
            ClientError: see `predict`; a whole request failed.
            OSError: a photo cannot be read.
        """
        for batch in requests.batches(photos, size):
            yield from requests.items(self._send(requests.predict_batch(batch, people)))

    def stream(
        self, photos: Iterable[Photo], *, people: People = "one", parallel: int = PARALLEL
    ) -> Generator[tuple[int, Answer | ClientError | OSError], None, None]:
        """The index of each photo with its answer, or with what there is instead, as soon as there is one: the quickest way for many.

        The photos are read as they are sent, so there may be any number of them. A service that has no streams is asked about one photo
        after the other. `deadline_s` is the time without a single answer.

        Args:
            parallel: requests at a time, with `STREAM` photos each.
        """
        outcomes: SimpleQueue[tuple[int, Outcome] | BaseException | None] = SimpleQueue()
        parts = (Part(part, people, self._deadline_s) for part in requests.batches(enumerate(photos), STREAM))
        stopped = Event()
        asking = 0
        with ThreadPoolExecutor(parallel) as threads:
            try:
                while True:
                    while asking < parallel and (part := next(parts, None)):
                        threads.submit(self._ask_about, part, people, outcomes.put, stopped)
                        asking += 1
                    if not asking:
                        return
                    match outcomes.get():
                        case None:
                            asking -= 1
                        case BaseException() as error:
                            raise error
                        case outcome:
                            yield outcome
            finally:
                stopped.set()

    def predict_many(self, photos: Iterable[P], parallel: int = 4) -> Generator[tuple[P, Answer | ClientError | OSError], None, None]:
        """Each photo with its answer, or with what was raised instead, in their order; `parallel` are asked about at a time.

        The photos are read as they are needed, so there may be any number of them.
        """
        with ThreadPoolExecutor(parallel) as threads:
            waiting: deque[tuple[P, Future[Answer]]] = deque()
            try:
                for photo in photos:
                    waiting.append((photo, threads.submit(self.predict, photo)))
                    if len(waiting) > 2 * parallel:
                        yield _outcome(*waiting.popleft())
                while waiting:
                    yield _outcome(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

    def health(self) -> Health:
        """Whether the service can answer, and with which models.

        Raises:
            ClientError: see `predict`.
        """
        return requests.health(self._send(requests.get("/health")))

    def cards(self) -> dict[str, Any]:
        """What the service says about its models: licences, thresholds, metrics, limits.

        Raises:
            ClientError: see `predict`.
        """
        return requests.cards(self._send(requests.get("/model")))

    def _ask_about(self, part: Part, people: People, put: Callable[[Any], None], stopped: Event) -> None:
        """Puts an outcome for each photo, and None at the end; a fault of ours in its place."""
        try:
            while part.left and not stopped.is_set():
                try:
                    pause = self._stream(part, people, put, stopped)
                except httpx.TransportError as error:
                    pause = part.pause_after(error)
                if part.left and not stopped.is_set():
                    self._sleep(pause)
        except ClientError as error:
            part.give_up(error)
            for outcome in part.found():
                put(outcome)
        except Exception as error:
            put(error)
        put(None)

    def _stream(self, part: Part, people: People, put: Callable[[Any], None], stopped: Event) -> float:
        """Makes one request about a part; returns the pause before another one."""

        def body() -> Iterator[bytes]:
            for index in list(part.left):
                if stopped.is_set():
                    return
                yield part.chunk(index)
            yield part.end

        if self._has_streams:
            with self._http.stream(**part.request(), content=body()) as response:
                if has_lines(response):
                    for line in response.iter_lines():
                        part.line(line)
                        for outcome in part.found():
                            put(outcome)
                        if stopped.is_set():
                            return 0.0
                else:
                    response.read()
            for outcome in part.found():  # of photos that cannot be read
                put(outcome)
            if not part.left:
                return 0.0
            if not is_too_old(response):
                return part.pause(response)
            self._has_streams = False
        for index, photo in list(part.left.items()):
            if not stopped.is_set():
                put((index, self._outcome(photo, people)))
                del part.left[index]
        return 0.0

    def _outcome(self, photo: Photo, people: People) -> Outcome:
        try:
            return self.predict(photo, people=people)
        except (ClientError, OSError) as error:
            return error

    def _send(self, request: requests.Request) -> httpx.Response:
        attempts = Attempts(self._deadline_s)
        while True:
            try:
                response = self._http.request(**request, timeout=attempts.left_s)
            except httpx.TransportError as error:
                self._sleep(attempts.after_error(error))
                continue
            wait = attempts.after(response)
            if wait is None:
                return response
            self._sleep(wait)


def _outcome(photo: P, future: Future[Answer]) -> tuple[P, Answer | ClientError | OSError]:
    try:
        return photo, future.result()
    except (ClientError, OSError) as error:
        return photo, error

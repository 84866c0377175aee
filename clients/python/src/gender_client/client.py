"""The client for ordinary programs. Threads may share one."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from gender_client import requests
from gender_client.errors import ClientError
from gender_client.models import Answer, BatchItem, Health
from gender_client.photos import Photo
from gender_client.retries import Attempts

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
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def predict(self, photo: Photo) -> Answer:
        """The answer about one photo. That there is nobody in it, or more than one person, is an answer, too.

        Raises:
            ServiceError: it is no photo, or the service failed or stayed busy until the deadline.
            Unreachable: the service could not be asked until the deadline.
            OSError: the photo cannot be read.
        """
        return requests.answer(self._send(requests.predict(photo)))

    def predict_batch(self, photos: Iterable[Photo], size: int = requests.BATCH) -> Iterator[BatchItem]:
        """The answers about many photos in their order, `size` in a request; the fault of a photo is the code of its item.

        Raises:
            ClientError: see `predict`; a whole request failed.
            OSError: a photo cannot be read.
        """
        for batch in requests.batches(photos, size):
            yield from requests.items(self._send(requests.predict_batch(batch)))

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

"""Sends photos to the service at a given rate or from a number of clients, and records the replies."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import numpy as np


@dataclass(frozen=True)
class Reply:
    """The reply to one photo.

    Attributes:
        sent_at: when it was sent, in seconds of `time.monotonic`.
        seconds: from then to the end of the answer.
        status: HTTP status; None when the connection broke.
        code: the answer's code; None when the body is not one of ours.
        retry_after: seconds that the header of that name asks to wait.
    """

    sent_at: float
    seconds: float
    status: int | None
    code: str | None
    retry_after: float | None

    @property
    def ended_at(self) -> float:
        """When the answer arrived, in seconds of `time.monotonic`."""
        return self.sent_at + self.seconds

    @property
    def is_polite_refusal(self) -> bool:
        """Whether it is a refusal that tells the client when to retry."""
        return self.status == 503 and self.retry_after is not None


@dataclass(frozen=True)
class Phase:
    """A rate, photos per second, and its duration in seconds."""

    photos_per_s: float
    seconds: float


class Traffic(AbstractAsyncContextManager["Traffic"]):
    """A client that sends the same photo repeatedly and records each reply.

    Args:
        url: the service's address.
        photo: the body of each request, a JPEG.
        timeout_s: after which a connection counts as broken.
    """

    def __init__(self, url: str, photo: bytes, timeout_s: float = 60.0) -> None:
        self.replies: list[Reply] = []
        self._url = f"{url}/predict"
        self._photo = photo
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=self._timeout)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def ask(self) -> Reply:
        """Sends one photo."""
        sent_at = time.monotonic()
        status, code, retry_after = None, None, None
        try:
            async with self._session.post(self._url, data=self._photo, headers={"content-type": "image/jpeg"}) as response:
                body = await response.read()
                status, retry_after = response.status, response.headers.get("retry-after")
                if response.content_type == "application/json":
                    code = json.loads(body).get("code")
        except (aiohttp.ClientError, TimeoutError):
            status = None
        reply = Reply(sent_at, time.monotonic() - sent_at, status, code, float(retry_after) if retry_after else None)
        self.replies.append(reply)
        return reply

    async def offer(self, phases: Sequence[Phase]) -> None:
        """Open loop: sends when the profile says so, whether or not the earlier photos are answered, and awaits all answers."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for due in send_times(phases):
                await asyncio.sleep(started + due - time.monotonic())
                group.create_task(self.ask())
            await asyncio.sleep(started + sum(phase.seconds for phase in phases) - time.monotonic())

    async def keep_asking(self, clients: int, done: Callable[[], bool]) -> None:
        """Closed loop: each of so many clients sends its next photo when it has its answer, until `done`.

        A client that is told to come back later does.
        """

        async def client() -> None:
            while not done():
                reply = await self.ask()
                if reply.retry_after is not None:
                    await asyncio.sleep(reply.retry_after)

        await asyncio.gather(*(client() for _ in range(clients)))


def send_times(phases: Sequence[Phase], seed: int = 1) -> Iterator[float]:
    """When to send each photo of a profile, in seconds from its start: at random (a Poisson process), at each phase's rate."""
    random = np.random.default_rng(seed)
    start = 0.0
    for phase in phases:
        end = start + phase.seconds
        due = start + random.exponential(1 / phase.photos_per_s)
        while due < end:
            yield due
            due += random.exponential(1 / phase.photos_per_s)
        start = end

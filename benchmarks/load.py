"""The client: loads a server in a closed or an open loop, and records the answers.

A closed loop has so many clients, and each sends its next photo when it has the answer to the last one: it finds out what a server can
do. An open loop sends at random times of a given rate, whatever comes back: it shows what a server does when asked for more than it can.
"""

import asyncio
import io
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import aiohttp
import numpy as np

from benchmarks.answers import code_of
from benchmarks.samples import REFUSALS, Sample

TIMEOUT_S = 120  # longer than any server's own deadline
MAX_OUTSTANDING = 2048  # of an open loop; more would measure the client's memory
BOUNDARY = "a-photo-follows"
LARGE = 2**20  # bytes; aiohttp takes larger bodies as files


@dataclass(frozen=True)
class ClosedLoop:
    """A number of clients.

    Attributes:
        patient: a refused one waits as long as Retry-After says.
    """

    clients: int
    patient: bool = True

    def __str__(self) -> str:
        return f"{self.clients} client{'s' if self.clients > 1 else ''}"


@dataclass(frozen=True)
class OpenLoop:
    """Poisson arrivals, photos per second. Refused photos are not sent again."""

    rate: float
    seed: int = 1

    def __str__(self) -> str:
        return f"{self.rate:.1f}/s"


@dataclass(frozen=True)
class Upload:
    """How a photo is sent: as a form's file, or as the body itself."""

    url: str
    raw: bool = False

    def request(self, photo: bytes) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers."""
        if self.raw:
            return photo, {"Content-Type": "image/jpeg"}
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
        return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class LoadRecord:
    """All requests of a load, warm-up included, and the client's CPU time during the measurement."""

    samples: Sequence[Sample]
    start: float
    seconds: float
    client_cpu_s: float


def run_load(load: ClosedLoop | OpenLoop, upload: Upload, photos: Sequence[bytes], warm_up: float, seconds: float) -> LoadRecord:
    """Loads a server from a separate process: an unmeasured warm-up of `warm_up` seconds, then `seconds` that are measured."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_run, load, upload, photos, warm_up, seconds).result()


def _run(load: ClosedLoop | OpenLoop, upload: Upload, photos: Sequence[bytes], warm_up: float, seconds: float) -> LoadRecord:
    return asyncio.run(drive(load, upload, photos, warm_up, seconds))


async def drive(load: ClosedLoop | OpenLoop, upload: Upload, photos: Sequence[bytes], warm_up: float, seconds: float) -> LoadRecord:
    """`run_load` in the running event loop. Returns once all requests are answered, so that loads do not overlap."""
    async with _Client.open(upload, photos) as client:
        cpu = asyncio.create_task(_cpu_seconds(warm_up, seconds))
        if isinstance(load, ClosedLoop):
            await asyncio.gather(*(client.keep_asking(warm_up + seconds, load.patient) for _ in range(load.clients)))
        else:
            await client.send_at(arrivals(load, warm_up + seconds))
        return LoadRecord(client.samples, warm_up, seconds, await cpu)


def arrivals(load: OpenLoop, seconds: float) -> Iterator[float]:
    """When to send, seconds after the start: a Poisson process."""
    random = np.random.default_rng(load.seed)
    at = random.exponential(1 / load.rate)
    while at < seconds:
        yield at
        at += random.exponential(1 / load.rate)


class _Client:
    """Sends photos in turn; `samples` are the finished requests."""

    def __init__(self, session: aiohttp.ClientSession, upload: Upload, photos: Sequence[bytes]) -> None:
        self.samples: list[Sample] = []
        self._session = session
        self._url = upload.url
        self._requests = itertools.cycle([(index, *upload.request(photo)) for index, photo in enumerate(photos)])
        self._began = time.perf_counter()
        self._outstanding = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, upload: Upload, photos: Sequence[bytes]) -> AsyncIterator["_Client"]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            yield cls(session, upload, photos)

    async def keep_asking(self, seconds: float, patient: bool) -> None:
        """One client of a closed loop."""
        while (now := self._now()) < seconds:
            wait = await self._send(now)
            await asyncio.sleep(wait if patient else 0)

    async def send_at(self, times: Iterator[float]) -> None:
        """An open loop."""
        async with asyncio.TaskGroup() as group:
            for at in times:
                await asyncio.sleep(at - self._now())
                if self._outstanding < MAX_OUTSTANDING:
                    group.create_task(self._send(at))
                else:
                    self.samples.append(Sample(0, at, self._now(), 0, "not sent: too many are outstanding"))

    async def _send(self, scheduled: float) -> float:
        """Sends the next photo; returns the seconds to wait before another one."""
        photo, body, headers = next(self._requests)
        self._outstanding += 1
        try:
            content = body if len(body) < LARGE else io.BytesIO(body)
            async with self._session.post(self._url, data=content, headers=headers) as response:
                status, outcome = response.status, code_of(response.status, parse_body(await response.read()))
                wait = float(response.headers.get("Retry-After", 1)) if status in REFUSALS else 0.0
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status, outcome, wait = 0, type(error).__name__, 0.1  # an immediate retry would only measure failures
        finally:
            self._outstanding -= 1
        self.samples.append(Sample(photo, scheduled, self._now(), status, outcome))
        return wait

    def _now(self) -> float:
        return time.perf_counter() - self._began


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, alone or in a list; empty where there is none."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    if isinstance(parsed, list) and len(parsed) == 1:
        [parsed] = parsed
    return parsed if isinstance(parsed, dict) else {}


async def _cpu_seconds(warm_up: float, seconds: float) -> float:
    """CPU time of this process in the `seconds` after the warm-up."""
    await asyncio.sleep(warm_up)
    before = os.times()
    await asyncio.sleep(seconds)
    after = os.times()
    return after.user + after.system - before.user - before.system

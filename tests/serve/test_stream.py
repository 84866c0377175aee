"""Streams over real sockets, with HAProxy and with Serve's own proxy: both directions at once, and back-pressure up to the client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from serve_app.http.body_window import NDJSON
from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.support import photos, simulated
from tests.support.http import BOUNDARY, FORM, part
from tests.support.service import RunningService

NEXT = f"--{BOUNDARY}\r\n".encode()
MEGABYTE = 1_000_000
PHOTOS = 90
# A client may be ahead of its answers by what the service holds, and by the buffers of the sockets on the way, a few megabytes each.
AHEAD = 60


class Stream:
    """A client that sends and reads at the same time, and counts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0

    async def send(self, photo: bytes, last: bool = False) -> None:
        # With the boundary that follows: without it the service does not know that the photo is whole.
        begun = NEXT if self.sent else b""
        await self._chunk(part(photo, "files").removeprefix(begun) + (f"--{BOUNDARY}--\r\n".encode() if last else NEXT))
        self.sent += 1
        if last:
            self._writer.write(b"0\r\n\r\n")

    async def line(self) -> dict[str, Any]:
        """The next line."""
        while not (text := await self._reader.readline()).startswith(b"{"):  # the head of the answer, and sizes of its chunks
            assert text
        line: dict[str, Any] = json.loads(text)
        return line

    async def _chunk(self, content: bytes) -> None:
        self._writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        await self._writer.drain()


@asynccontextmanager
async def stream(url: str, request_id: str = "stream") -> AsyncIterator[Stream]:
    address = urlsplit(f"{url}/predict-batch")
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {address.path} HTTP/1.1\nHost: x\nX-Request-ID: {request_id}\nAccept: {NDJSON}\nContent-Type: {FORM}\n"
    writer.write(f"{head}Transfer-Encoding: chunked\n\n".replace("\n", "\r\n").encode())
    try:
        yield Stream(reader, writer)
    finally:
        writer.close()


async def most_ahead(url: str, photo: bytes) -> int:
    """By how many photos a client that sends as fast as it can was ahead of its answers."""
    async with stream(url) as client:

        async def send_all() -> None:
            for number in range(PHOTOS):
                await client.send(photo, last=number == PHOTOS - 1)

        sending = asyncio.create_task(send_all())
        lines: list[dict[str, Any]] = []
        ahead = 0
        while len(lines) < PHOTOS:
            lines.append(await client.line())
            ahead = max(ahead, client.sent - len(lines))
        await sending
    assert sorted(line["index"] for line in lines) == [*range(PHOTOS)]
    return ahead


async def test_photos_are_answered_while_others_are_still_to_be_sent(service: RunningService, client: Any) -> None:
    await until_healthy(client)
    async with stream(service.url) as stream_client:
        for index, photo, code in ((0, photos.cameraman(), "ok"), (1, photos.cat(), "no_person"), (2, b"x", "not_an_image")):
            await stream_client.send(photo)
            line = await stream_client.line()
            assert (line["index"], line["code"]) == (index, code)
        await stream_client.send(photos.cat(), last=True)
        assert (await stream_client.line())["index"] == 3


async def test_a_client_that_is_faster_than_the_models_waits(service: RunningService, client: Any) -> None:
    await until_healthy(client)
    photo = photos.cat()
    assert await most_ahead(service.url, photo + b"\0" * (MEGABYTE - len(photo))) < AHEAD


async def test_the_same_without_haproxy(deploy: Callable[..., str]) -> None:
    url = deploy(simulated.graph(Settings(_env_file=None), seconds=0.005), "streams")
    assert await most_ahead(url, b"x" * (MEGABYTE // 2)) < AHEAD


async def test_when_a_client_goes_the_rest_of_its_photos_is_not_worked_on(service: RunningService, client: Any) -> None:
    await until_healthy(client)
    request_id = "goes-away"
    async with stream(service.url, request_id) as leaving:
        for _ in range(PHOTOS):
            await leaving.send(photos.cameraman())
        await leaving.line()
    async with asyncio.timeout(60):
        while not (ended := [line for line in service.log_lines() if line.get("photo_request_id") == request_id]):
            await client.get("/live")
    assert sum(ended[0]["codes"].values()) < PHOTOS

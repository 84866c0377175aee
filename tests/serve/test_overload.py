"""Overload and misbehaving clients: memory is bounded, excess is refused at once, and other clients notice nothing."""

import asyncio
import contextlib
import http.client
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from ray import serve

from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.support import photos, simulated
from tests.support.processes import of_each
from tests.support.service import RunningService

IDLE_CONNECTIONS = 1000
ENDLESS_BYTES = 300_000_000
# The limit on bodies in flight, once in the proxy and once in the ingress.
MEMORY_BYTES = 2 * Settings(_env_file=None).max_upload_bytes_in_flight

Deploy = Callable[..., str]
Abuse = Callable[[str], contextlib.AbstractContextManager[Any]]


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


@contextlib.contextmanager
def connection(url: str, text: str) -> Iterator[socket.socket]:
    """A connection on which a request has begun; `PATH` is replaced by the application's prefix."""
    with socket.create_connection(address(url), timeout=60) as sock:
        sock.sendall(text.replace("PATH", urlsplit(url).path).replace("\n", "\r\n").encode())
        yield sock


HEAD = "POST PATH/predict HTTP/1.1\nHost: x\nContent-Type: image/jpeg\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\n\n"


@contextlib.contextmanager
def slow_upload(url: str) -> Iterator[None]:
    with connection(url, f"{HEAD}Content-Length: 100\n\n") as sock:
        sock.sendall(b"x")
        yield


@contextlib.contextmanager
def slow_headers(url: str) -> Iterator[None]:
    with connection(url, "POST PATH/predict HTTP/1.1\nHost: x\nX-Slow: "):
        yield


@contextlib.contextmanager
def idle_connections(url: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(socket.create_connection(address(url)))
        yield


@contextlib.contextmanager
def flood_of_headers(url: str) -> Iterator[None]:
    with connection(url, HEAD) as sock, contextlib.suppress(OSError):
        for number in range(5000):
            sock.sendall(b"X-%d: %s\r\n" % (number, b"y" * 200))
        yield
        return
    yield  # it was cut off


@contextlib.contextmanager
def declared_endless(url: str) -> Iterator[None]:
    with connection(url, f"{HEAD}Content-Length: {10**12}\n\n") as sock:
        assert b" 413 " in answer_to_endless(sock)
        yield


@contextlib.contextmanager
def undeclared_endless(url: str) -> Iterator[None]:
    with connection(url, CHUNKED) as sock:
        assert b" 413 " in answer_to_endless(sock, chunked=True)
        yield


def answer_to_endless(sock: socket.socket, *, chunked: bool = False) -> bytes:
    """Sends an endless body until the connection is closed; returns the response.

    Raises:
        AssertionError: the service never stops reading.
    """
    piece = b"x" * 1_000_000
    framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    with contextlib.suppress(ConnectionError):
        for _ in range(ENDLESS_BYTES // len(piece)):
            sock.sendall(framed)
        raise AssertionError("the body is taken without an end")
    answer = b""
    with contextlib.suppress(ConnectionError):
        while received := sock.recv(65536):
            answer += received
    return answer


def pss(service: RunningService) -> int:
    """Memory of all the service's processes in bytes, shared pages counted once."""
    return sum(of_each(service.family, lambda process: process.memory_full_info().pss).values())


@pytest.mark.parametrize("abuse", [slow_upload, slow_headers, idle_connections, flood_of_headers, declared_endless, undeclared_endless])
async def test_nobody_else_notices(service: RunningService, client: httpx.AsyncClient, abuse: Abuse) -> None:
    await until_healthy(client)
    before = pss(service)
    with abuse(service.url):
        for _ in range(3):
            answer = await client.post("/predict", content=photos.cat(), headers={"content-type": "image/jpeg"})
            assert answer.status_code == 200, answer.text
        assert pss(service) - before < MEMORY_BYTES


# --- a small service on the tests' cluster --------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def running(deploy: Deploy, seconds: float = 0.02, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The simulated graph, after its first answer."""
    url = await asyncio.to_thread(deploy, simulated.graph(Settings(_env_file=None, **settings), seconds=seconds), "small")
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=None)) as client:
        await until_healthy(client)
        yield client


async def test_a_body_that_never_ends_is_ended_by_the_upload_deadline(deploy: Deploy) -> None:
    async with running(deploy, upload_deadline_s=0.5) as client:

        def upload() -> bytes:
            answer = b""
            with connection(str(client.base_url).rstrip("/"), CHUNKED) as sock:
                sock.sendall(b"1\r\nx\r\n")
                while received := sock.recv(65536):  # until the service closes the connection
                    answer += received
            return answer

        answer = await asyncio.to_thread(upload)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert b'"code":"timeout"' in answer


async def test_a_refusal_before_the_body_reaches_clients_that_send_it_all_first(deploy: Deploy) -> None:
    async with running(deploy, seconds=60, max_photos_in_flight=1, max_batch_files=1, request_deadline_s=5) as client:
        pending = asyncio.create_task(client.post("/predict", content=b"photo", headers={"content-type": "image/jpeg"}))
        body = b"x" * 9_000_000

        def upload() -> Iterator[int]:
            sender = http.client.HTTPConnection(*address(str(client.base_url)), timeout=60)
            for _ in range(3):  # on one connection
                sender.request("POST", f"{client.base_url.path}predict", body=body, headers={"Content-Type": "image/jpeg"})
                answer = sender.getresponse()
                answer.read()
                yield answer.status
            sender.close()

        while await asyncio.to_thread(lambda: set(upload())) != {503}:
            assert not pending.done()
        answer = await client.post("/predict", files={"file": body})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        await pending


async def test_at_many_times_what_it_can_take_every_answer_is_a_photo_or_a_refusal_and_no_work_is_lost(deploy: Deploy) -> None:
    async with running(deploy, seconds=0.1, request_deadline_s=4) as client:
        statuses: Counter[int] = Counter()

        async def ask_without_a_pause() -> None:
            while statuses[200] < 60:
                answer = await client.post("/predict", content=b"photo", headers={"content-type": "image/jpeg"})
                statuses[answer.status_code] += 1
                assert answer.status_code == 200 or 1 <= int(answer.headers["retry-after"]) <= 10

        await asyncio.gather(*(ask_without_a_pause() for _ in range(64)))
        assert statuses.keys() == {200, 503}
        assert statuses[503] > statuses[200]
        assert await serve.get_deployment_handle("Detector", "small").photos.remote() == statuses[200]

"""Back-pressure through Serve, which reads bodies without bounds, and unread answers."""

import asyncio
from typing import Any

import pytest
from ray.serve._private.constants import SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.body_window import BACKSTOP_S, NDJSON, TAKEN, WINDOW_BYTES, AppMiddleware, DoorMiddleware
from serve_app.settings import Settings
from tests.support.http import RawRequest

CHUNK = WINDOW_BYTES // 8
LINES = {"accept": NDJSON}


class Serve:
    """Reads the body as fast as it comes, whatever the app takes, and hands on the app's messages, as Serve does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.scope: Scope = {}
        self.read = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def fetch() -> None:
            while True:
                message = await receive()
                self.read += len(message.get("body", b""))
                messages.put_nowait(message)

        fetching = asyncio.create_task(fetch())
        try:
            await self._app(scope, messages.get, send)
        finally:
            fetching.cancel()


class App:
    """Takes a message of the body whenever it is told to; answers at the end."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            await self.turns.acquire()
            message = await receive()
            self.taken += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def settled() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_the_client_sends_no_more_than_a_window_ahead_of_the_app() -> None:
    app = App()
    serve = Serve(AppMiddleware(app))
    request = RawRequest(DoorMiddleware(serve), "/predict-batch", LINES)
    for _ in range(80):
        await request.send(b"x" * CHUNK)
    await request.send(b"", more=False)
    for taken in range(80):
        await settled()
        assert serve.read - taken * CHUNK <= WINDOW_BYTES
        assert serve.read > taken * CHUNK  # there is always something to take
        app.turns.release()
    app.turns.release()
    await request.ended()
    assert (app.taken, serve.read) == (80 * CHUNK, 80 * CHUNK)
    assert [message["type"] for message in request.messages] == ["http.response.start", "http.response.body"]


async def test_ordinary_bodies_are_read_as_they_come() -> None:
    app = App()
    serve = Serve(AppMiddleware(app))
    request = RawRequest(DoorMiddleware(serve), "/predict", {"accept": "application/json"})
    for _ in range(80):
        await request.send(b"x" * CHUNK)
    await settled()
    assert serve.read == 80 * CHUNK
    assert b"x-request-timeout-seconds" not in dict(serve.scope["headers"])
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.ended()


async def test_lines_that_nobody_reads_do_not_hold_up_the_body() -> None:
    """As of a client that sends all photos before it reads."""
    unread = asyncio.Event()
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["more_body"]:
            await send({"type": "http.response.body", "body": b"line", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    bodies = iter([{"type": "http.request", "body": b"x" * CHUNK, "more_body": number < 79} for number in range(80)])

    async def receive() -> Any:
        body = next(bodies)
        if not body["more_body"]:
            unread.set()  # now it begins to read
        return body

    async def send(message: Message) -> None:
        await unread.wait()
        sent.append(message)

    scope = {"type": "http", "headers": [(b"accept", NDJSON.encode())]}
    await DoorMiddleware(Serve(AppMiddleware(app)))(scope, receive, send)
    assert len(sent) == 81
    assert TAKEN not in {message["type"] for message in sent}


async def test_an_answer_that_breaks_ends() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    request = RawRequest(DoorMiddleware(app), "/predict-batch", LINES)
    assert len(await request.ended()) == 1


async def test_without_a_door_the_app_says_nothing() -> None:
    app = App()
    request = RawRequest(AppMiddleware(app), "/predict-batch", LINES)
    for _ in range(80):
        app.turns.release()
        await request.send(b"x" * CHUNK)
    app.turns.release()
    await request.send(b"", more=False)
    assert [message["type"] for message in await request.ended()] == ["http.response.start", "http.response.body"]


async def test_serves_time_limit_is_above_the_longest_stream() -> None:
    serve = Serve(AppMiddleware(App()))
    request = RawRequest(DoorMiddleware(serve), "/predict-batch", LINES)
    await settled()
    assert dict(serve.scope["headers"])[SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER.encode()] == str(BACKSTOP_S).encode()
    (longest,) = (limit.le for limit in Settings.model_fields["stream_deadline_s"].metadata if hasattr(limit, "le"))
    assert longest + Settings(_env_file=None).request_deadline_s < BACKSTOP_S
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.ended()

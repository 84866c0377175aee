"""Back-pressure for streams: the client sends no more than the app has asked for.

Serve reads each body as fast as it arrives, into a queue without bounds, whether the app takes it or not: a thousand photos would wait in
memory. So our middleware in front of Serve's code (the door) lets `WINDOW_BYTES` of a stream's body through, and then only as much as the
app has taken. They may be in two processes, so the app says what it has taken in a message among those of its answer, which Serve hands
on like any other (as Ray 2.60 does; tests/serve/test_stream.py shows it with and without HAProxy). The door keeps it.

The door also sees to two more things that only matter to streams:

    Serve's time limit      `request_timeout_s`, 60 s, is a backstop above the deadlines of ordinary requests. A stream of a thousand
                            photos takes longer: it has STREAM_DEADLINE_S, and `BACKSTOP_S` above that. Only the door can say so: it
                            drops what clients write into the header (see `middleware.ControlHeadersMiddleware`).
    unread answers          Clients such as `requests` and browsers read nothing until they have sent everything. Lines that they do not
                            read wait here (a thousand of them are a megabyte), or they would hold up the app's messages behind them.

HAProxy, in front of the door, passes on both directions as they come, and its limit for silent clients (60 s) is longer than ours. What
cuts a stream off without a last line is the end of a process: of a replica that is replaced, after `graceful_shutdown_timeout_s`, or of a
HAProxy, two minutes after it was exchanged for a new one. The client sees a broken answer, and sends again what has no line.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NDJSON = "application/x-ndjson"
WINDOW_BYTES = 2**20
BACKSTOP_S = 3600  # above the largest STREAM_DEADLINE_S
TIME_LIMIT = b"x-request-timeout-seconds"  # Serve's header

EXTENSION = "gender.body_window"  # of the ASGI scope: there is a door that keeps the messages
TAKEN = "gender.body_taken"  # type of the message; its `size` are bytes


def wants_lines(headers: Headers) -> bool:
    """Whether the client asks for a stream."""
    accepted = ",".join(headers.getlist("accept")).split(",")
    return NDJSON in (each.partition(";")[0].strip().lower() for each in accepted)


class DoorMiddleware:
    """The side of the door, for requests that want lines: see above."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not wants_lines(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        ahead = 0
        taken = asyncio.Event()
        answer: asyncio.Queue[Message | None] = asyncio.Queue()

        async def receive_in_turn() -> Message:
            nonlocal ahead
            while ahead >= WINDOW_BYTES:
                taken.clear()
                await taken.wait()
            message = await receive()
            ahead += len(message.get("body", b""))
            return message

        async def keep_or_send(message: Message) -> None:
            nonlocal ahead
            if message["type"] == TAKEN:
                ahead -= message["size"]
                taken.set()
            else:
                answer.put_nowait(message)

        async def write() -> None:
            while (message := await answer.get()) is not None:
                await send(message)

        scope = {
            **scope,
            "headers": [*scope["headers"], (TIME_LIMIT, str(BACKSTOP_S).encode())],
            "extensions": {**(scope.get("extensions") or {}), EXTENSION: {}},
        }
        writing = asyncio.create_task(write())
        try:
            await self._app(scope, receive_in_turn, keep_or_send)
            answer.put_nowait(None)  # an answer that broke has no last message
            await writing
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


class AppMiddleware:
    """The side of the app: says what it has taken, half a window at a time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if EXTENSION not in (scope.get("extensions") or {}):
            await self._app(scope, receive, send)
            return
        size = 0

        async def receive_and_say() -> Message:
            nonlocal size
            if size >= WINDOW_BYTES // 2:
                size, said = 0, size
                await send({"type": TAKEN, "size": said})
            message = await receive()
            size += len(message.get("body", b""))
            return message

        await self._app(scope, receive_and_say, send)

"""Middleware for every request: its id, a header against content sniffing, closing connections with unread bodies, and Serve's door."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.codes import Code
from serve_app.graph.haproxy import CONTROL_HEADERS
from serve_app.http.body_window import DoorMiddleware
from serve_app.http.faults import CatchAllMiddleware, PlainFaultMiddleware

HEADER = "x-request-id"
DISCARDED_BYTES = 100_000_000

# What Serve means by a status: an address without an application, which is not there yet; its own timeout; a replica that died.
SERVES_CODES = {404: Code.OVERLOADED, 408: Code.TIMEOUT, 429: Code.OVERLOADED, 500: Code.OVERLOADED}

RawHeaders = list[tuple[bytes, bytes]]

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Sets `request.state.request_id`, the header of the request that the app sees, and the header of the response.

    Args:
        returned_by_proxy: a proxy in front adds the header to the response, so this does not.
    """

    def __init__(self, app: ASGIApp, returned_by_proxy: bool = False) -> None:
        self._app = app
        self._returned_by_proxy = returned_by_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _accept_or_make(Headers(scope=scope).get(HEADER))
        state = {**scope.get("state", {}), "request_id": request_id}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._returned_by_proxy:
                message["headers"] = _with_id(message["headers"], request_id)
            await send(message)

        await self._app({**scope, "headers": _with_id(scope["headers"], request_id), "state": state}, receive, send_with_id)


class ControlHeadersMiddleware:
    """Drops the headers with which a client could control Serve: lift its deadline, or choose a replica."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if not _controls(name)]}
        await self._app(scope, receive, send)


def serve_proxy_middlewares() -> list[Middleware]:
    """The middleware of Serve's HTTP servers, the innermost first; `ray_internals` has the variable that names this function.

    It is in front of Serve's own code, in the proxies and, behind HAProxy, in each ingress replica. Serve returns any id that a
    client sends, and adds it to the headers instead of replacing it: with ours in front, there is exactly one id, and it is
    well-formed. And what Serve refuses itself gets our body, except on the addresses that it has for machines.
    """
    return [
        Middleware(DoorMiddleware),
        Middleware(PlainFaultMiddleware, codes=SERVES_CODES, except_under="/-/"),
        Middleware(CatchAllMiddleware),
        Middleware(ControlHeadersMiddleware),
        Middleware(RequestIdMiddleware),
    ]


def _controls(name: bytes) -> bool:
    return name.decode("latin-1").lower().replace("_", "-") in CONTROL_HEADERS


def _with_id(headers: RawHeaders, request_id: str) -> RawHeaders:
    # Not Starlette's MutableHeaders: it overlooks a header with capital letters.
    name = HEADER.encode()
    return [(other, value) for other, value in headers if other.lower() != name] + [(name, request_id.encode())]


def _accept_or_make(sent: str | None) -> str:
    return sent if sent and _WELL_FORMED.fullmatch(sent) else uuid.uuid4().hex


class SecurityHeadersMiddleware:
    """Tells browsers not to guess content types."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-content-type-options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class UnreadBodyMiddleware:
    """Closes the connection after an answer when the unread rest of the body is endless, very long, or too slow.

    Otherwise the server reads the rest: clients that look for the answer only after they have sent everything (`http.client`,
    requests) find it, and the connection can be reused. A body without a declared length, a very long one, and one that has just hit
    the upload deadline would keep the server reading.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        unread = declared != "0" and ("transfer-encoding" in headers or declared != "")

        async def watch() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and bool(message.get("more_body"))
            return message

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start" and unread:
                near = declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) <= DISCARDED_BYTES
                if not near or message["status"] == 504:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, watch, close)

"""Request ids: one per request, the client's own when it is well-formed, in every log line, body and response header."""

import re
import uuid

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"

RawHeaders = list[tuple[bytes, bytes]]

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Sets `request.state.request_id`, the request's header for those behind, and the header of the response.

    Args:
        returned_by_proxy: leave the response's header to a proxy in front, which adds the one of the request.
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


def serve_proxy_middlewares() -> list[Middleware]:
    """For RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH.

    Serve's proxy returns whatever id a client sends, and adds it to the headers instead of setting it. With this in front of it
    the id is a well-formed one, and there is one.
    """
    return [Middleware(RequestIdMiddleware)]


def _with_id(headers: RawHeaders, request_id: str) -> RawHeaders:
    # Not starlette's MutableHeaders: it would overlook a header that somebody wrote in capitals.
    name = HEADER.encode()
    return [(other, value) for other, value in headers if other.lower() != name] + [(name, request_id.encode())]


def _accept_or_make(sent: str | None) -> str:
    return sent if sent and _WELL_FORMED.fullmatch(sent) else uuid.uuid4().hex

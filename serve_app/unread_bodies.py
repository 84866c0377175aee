"""An answer that comes before the end of the body: most clients may send the rest, and have it thrown away, but not for ever."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DISCARDED_BYTES = 100_000_000


class UnreadBodyMiddleware:
    """Closes the connection after such an answer when the rest of the body has no end, no near end, or no pace.

    The server below reads on after an answer: clients that look for it only when they have sent everything (`http.client`, requests)
    find it, and the connection can be used again. A body without a declared length, a very long one, and one that has just run into
    a time limit would keep it reading: their clients must notice the end of the connection.
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

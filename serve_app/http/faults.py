"""Faults: every error becomes the same body, `Fault`, with the HTTP status of its code."""

import logging
import traceback
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.codes import MEANINGS, Code
from serve_app.http.answers import Fault

logger = logging.getLogger("serve_app")

RETRY_AFTER_S = 1  # the default

# For errors that Starlette raises. Two codes share 400; BAD_REQUEST is the one for these.
CODES_BY_STATUS = {meaning.status: code for code, meaning in MEANINGS.items()} | {400: Code.BAD_REQUEST}


class Refused(Exception):
    """A request that is refused as a whole.

    Args:
        code: the reason.
        text: more exact than the code's own.
        retry_after_s: seconds, for codes with Retry-After.
    """

    def __init__(self, code: Code, text: str | None = None, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s


def fault_response(code: Code, request_id: str, text: str | None = None, retry_after_s: int = RETRY_AFTER_S) -> Response:
    """The answer to a request that failed with `code`."""
    return Response(
        Fault.of(code, request_id, text).model_dump_json(),
        status_code=MEANINGS[code].status,
        headers={"retry-after": str(retry_after_s)} if MEANINGS[code].retry else None,
        media_type="application/json",
    )


def add_fault_handlers(app: FastAPI) -> None:
    """Handles refusals, Starlette's errors and failed validation; the middleware below handles the rest."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return fault_response(error.code, request.state.request_id, error.text, error.retry_after_s)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException) -> Response:
        code = CODES_BY_STATUS.get(error.status_code, Code.BAD_REQUEST if error.status_code < 500 else Code.INTERNAL)
        response = fault_response(code, request.state.request_id)
        response.headers.update(error.headers or {})
        if code is Code.METHOD_NOT_ALLOWED:  # Starlette tells only the methods of the first route with this address
            response.headers["allow"] = ", ".join(sorted(_allowed(app, request)))
        return response

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return fault_response(Code.BAD_REQUEST, request.state.request_id)


def _allowed(app: FastAPI, request: Request) -> set[str]:
    matching = [route for route in app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in matching for method in route.methods or ()}


def log_unforeseen(error: Exception, request_id: str) -> None:
    """Logs an unforeseen exception, without its message: that may quote a file name."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request %s failed: %s\n%s", request_id, type(error).__name__, frames)


class CatchAllMiddleware:
    """Answers an unforeseen exception with `internal`.

    Starlette's own handler is outside all other middleware: its answers would lack the request id and the CORS headers. So this is
    in front of the routes, whose faults get all headers, and again in front of the other middleware.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            pass  # the client is gone
        except Exception as error:
            if started:
                raise
            request_id = scope["state"]["request_id"]
            log_unforeseen(error, request_id)
            await fault_response(Code.INTERNAL, request_id)(scope, receive, send)


class PlainFaultMiddleware:
    """Gives faults that others word in plain text our body: those of Serve, and of Starlette's CORS.

    Args:
        codes: of a status, where it means something else than in our table.
        except_under: start of the paths whose answers stay as they are.
    """

    def __init__(self, app: ASGIApp, codes: Mapping[int, Code] | None = None, except_under: str | None = None) -> None:
        self._app = app
        self._codes = {**CODES_BY_STATUS, **(codes or {})}
        self._except_under = except_under

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (self._except_under and scope["path"].startswith(self._except_under)):
            await self._app(scope, receive, send)
            return
        replaced = False

        async def send_ours(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_plain_fault(message):
                replaced = True
                code = self._codes.get(message["status"], Code.BAD_REQUEST if message["status"] < 500 else Code.INTERNAL)
                ours = fault_response(code, scope["state"]["request_id"])
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in _OF_THE_BODY]
                ours.raw_headers = [*ours.raw_headers, *kept]
                await ours(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, send_ours)


_OF_THE_BODY = (b"content-type", b"content-length", b"retry-after")


def _is_plain_fault(start: Message) -> bool:
    headers = Headers(raw=[(name, value) for name, value in start["headers"]])  # Serve's are lists
    return start["status"] >= 400 and headers.get("content-type", "").startswith("text/plain")

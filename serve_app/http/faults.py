"""Faults: every error becomes the same body, `Fault`, with the HTTP status of its code."""

import logging
import traceback

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.codes import MEANINGS, Code
from serve_app.http.answers import Fault

logger = logging.getLogger("serve_app")

RETRY_AFTER_S = 1  # the default

# For errors that Starlette raises. Two codes share 400; BAD_REQUEST is the one for these.
_CODES_BY_STATUS = {meaning.status: code for code, meaning in MEANINGS.items()} | {400: Code.BAD_REQUEST}


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
    """Handles refusals, Starlette's errors and failed validation; `CatchAllMiddleware` handles the rest."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return fault_response(error.code, request.state.request_id, error.text, error.retry_after_s)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException) -> Response:
        code = _CODES_BY_STATUS.get(error.status_code, Code.BAD_REQUEST if error.status_code < 500 else Code.INTERNAL)
        response = fault_response(code, request.state.request_id)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return fault_response(Code.BAD_REQUEST, request.state.request_id)


class CatchAllMiddleware:
    """Answers an unforeseen exception with `internal`.

    Starlette's own handler is outside all other middleware: its answers would lack the request id and the CORS headers.
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
            # The exception's message is left out: it may quote a file name.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("request %s failed: %s\n%s", request_id, type(error).__name__, frames)
            await fault_response(Code.INTERNAL, request_id)(scope, receive, send)

"""Faults: wherever one is raised, the client gets the same body."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from serve_app.codes import MEANINGS, Code
from serve_app.http.faults import CatchAllMiddleware, Refused, add_fault_handlers, fault_response
from serve_app.http.middleware import RequestIdMiddleware
from tests.support.http import RawRequest, client_of


def app_that(raises: Exception) -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def fail(number: int = 0) -> None:
        raise raises

    add_fault_handlers(app)
    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(RequestIdMiddleware)
    return app


async def post(raises: Exception, query: str = "") -> tuple[int, dict[str, Any], dict[str, str]]:
    async with client_of(app_that(raises)) as client:
        response = await client.post(f"/{query}", headers={"x-request-id": "r1"})
    return response.status_code, response.json(), dict(response.headers)


def fault(code: Code, text: str | None = None) -> dict[str, Any]:
    text = text or MEANINGS[code].text
    return {"error": text, "detail": text, "code": code.value, "request_id": "r1"}


@pytest.mark.parametrize("code", [code for code in Code if MEANINGS[code].status != 200])
async def test_a_refusal_has_the_status_and_text_of_its_code(code: Code) -> None:
    status, body, headers = await post(Refused(code))
    assert (status, body) == (MEANINGS[code].status, fault(code))
    assert headers.get("retry-after") == ("1" if MEANINGS[code].retry else None)


async def test_only_what_passes_by_itself_asks_to_try_again() -> None:
    asking = {code for code in Code if "retry-after" in fault_response(code, "r1").headers}
    assert asking == {Code.TOO_MANY_REQUESTS, Code.OVERLOADED}


async def test_a_refusal_may_have_a_more_exact_text() -> None:
    assert (await post(Refused(Code.BAD_REQUEST, "No file")))[1] == fault(Code.BAD_REQUEST, "No file")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, Code.NOT_FOUND),
        (405, Code.METHOD_NOT_ALLOWED),
        (400, Code.BAD_REQUEST),
        (413, Code.IMAGE_TOO_LARGE),
        (418, Code.BAD_REQUEST),
        (503, Code.OVERLOADED),
        (599, Code.INTERNAL),
    ],
)
async def test_errors_of_http_itself(status: int, code: Code) -> None:
    answered, body, headers = await post(HTTPException(status, "internal wording", headers={"x-why": "a reason"}))
    assert (answered, body) == (MEANINGS[code].status, fault(code))
    assert headers["x-why"] == "a reason"


async def test_failed_validation_is_a_bad_request() -> None:
    assert (await post(ValueError(), "?number=many"))[:2] == (400, fault(Code.BAD_REQUEST))


async def test_an_unforeseen_exception_is_internal_and_logged_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    status, body, headers = await post(KeyError("holiday.jpg"))
    assert (status, body) == (500, fault(Code.INTERNAL))
    assert headers["x-request-id"] == "r1"
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "r1" in record.getMessage()
    assert "KeyError" in record.getMessage()
    assert "holiday" not in caplog.text


async def test_a_client_that_has_gone_gets_no_answer_and_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    request = RawRequest(app_that(ClientDisconnect()), "/", {})
    assert await request.ended() == []
    assert not caplog.records


async def test_an_answer_that_breaks_off_is_left_to_the_server() -> None:
    app = FastAPI()

    @app.post("/")
    async def break_off() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise OSError("disk")

        return StreamingResponse(body())

    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(RequestIdMiddleware)
    request = RawRequest(app, "/", {})
    await request.feed(b"", more=False)
    with pytest.raises(OSError, match="disk"):
        await request.ended()
    assert [message["type"] for message in request.messages] == ["http.response.start", "http.response.body"]

"""The door: our middleware in front of Serve's own code, in its proxies and in each ingress replica."""

import json

import pytest
import ray.serve._private.constants as serve_constants
from httpx import Response
from starlette.types import Message, Receive, Scope, Send

from serve_app.graph.haproxy import CONTROL_HEADERS
from serve_app.http.middleware import serve_proxy_middlewares
from tests.support.http import client_of


class Serve:
    """Serve's code behind the door.

    Args:
        answer: a status with Serve's text, as Serve sends it; or an exception.
    """

    def __init__(self, answer: tuple[int, str] | Exception) -> None:
        self._answer = answer
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = scope["headers"]
        if isinstance(self._answer, Exception):
            raise self._answer
        status, text = self._answer
        start: Message = {"type": "http.response.start", "status": status, "headers": [[b"content-type", b"text/plain; charset=utf-8"]]}
        await send(start)
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def through_the_door(serve: Serve, path: str = "/predict", headers: dict[str, str] | None = None) -> Response:
    app = serve
    for middleware in serve_proxy_middlewares():
        app = middleware.cls(app, *middleware.args, **middleware.kwargs)  # type: ignore[assignment]
    async with client_of(app) as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    "name",
    [
        "x-request-timeout-seconds",
        "X-Request-Timeout-Seconds",
        "x-request-disconnect-disabled",
        "serve_multiplexed_model_id",
        "serve-multiplexed-model-id",
        "x-session-id",
        "x_session_id",
    ],
)
async def test_a_clients_control_headers_are_dropped(name: str) -> None:
    serve = Serve((200, "healthy"))
    await through_the_door(serve, headers={name: "0", "accept": "image/png"})
    names = {key.decode().lower() for key, _ in serve.headers}
    assert name.lower() not in names
    assert {"accept", "x-request-id"} <= names


def test_all_that_serve_reads_are_known() -> None:
    read = {value for name, value in vars(serve_constants).items() if name.endswith("_HEADER") and isinstance(value, str)}
    read |= {serve_constants.SERVE_MULTIPLEXED_MODEL_ID, serve_constants.SERVE_SESSION_ID}
    read.remove(serve_constants.SERVE_HTTP_REQUEST_ID_HEADER)  # that is made well-formed
    assert {name.replace("_", "-") for name in read} == set(CONTROL_HEADERS)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ((503, "Request dropped due to backpressure"), 503, "overloaded"),
        ((404, "Path '/predict' not found. Ping http://.../-/routes for available routes."), 503, "overloaded"),
        ((500, "Internal Server Error"), 503, "overloaded"),
        ((429, "too many"), 503, "overloaded"),
        ((408, "Request r1 timed out after 60s."), 504, "timeout"),
        ((400, "bad"), 400, "bad_request"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a header"), 500, "internal"),
    ],
    ids=lambda value: str(value),
)
async def test_what_serve_refuses_has_our_body(answer: tuple[int, str] | Exception, status: int, code: str) -> None:
    response = await through_the_door(Serve(answer), headers={"x-request-id": "r1"})
    assert (response.status_code, response.json()["code"], response.json()["request_id"]) == (status, code, "r1")
    assert response.headers.get_list("x-request-id") == ["r1"]
    assert response.headers.get("retry-after") == ("1" if status == 503 else None)
    assert response.headers.get_list("content-type") == ["application/json"]
    assert response.headers["content-length"] == str(len(response.content))
    assert json.loads(response.content).keys() == {"error", "detail", "code", "request_id"}


@pytest.mark.parametrize("path", ["/-/healthz", "/-/routes"])
async def test_serves_own_addresses_stay_as_they_are(path: str) -> None:
    response = await through_the_door(Serve((503, "draining")), path)
    assert (response.status_code, response.text) == (503, "draining")


async def test_good_answers_stay_as_they_are() -> None:
    response = await through_the_door(Serve((200, "hello")))
    assert (response.status_code, response.text) == (200, "hello")

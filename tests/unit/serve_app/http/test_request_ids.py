"""Request ids: the client's own when it is well-formed, one header in every response."""

import pytest
from httpx import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.middleware import HEADER, RequestIdMiddleware, serve_proxy_middlewares
from tests.support.http import client_of


async def echo(request: Request) -> Response:
    assert request.headers.getlist(HEADER) == [request.state.request_id]
    return PlainTextResponse(request.state.request_id, headers={HEADER: "set by somebody else"})


ECHO = Starlette(routes=[Route("/", echo)])


async def get(app: ASGIApp, sent: str | None) -> tuple[list[str], str]:
    client: AsyncClient
    async with client_of(app) as client:
        response = await client.get("/", headers=[] if sent is None else [(HEADER.encode(), sent.encode())])
    return response.headers.get_list(HEADER), response.text


@pytest.mark.parametrize("sent", ["a", "Order-1.2_b", "x" * 64])
async def test_a_well_formed_id_is_accepted(sent: str) -> None:
    assert await get(RequestIdMiddleware(ECHO), sent) == ([sent], sent)


@pytest.mark.parametrize("sent", [None, "", "a b", "a\tb", "a;b", "ä", "x" * 65, "../etc"])
async def test_a_malformed_or_missing_id_is_replaced(sent: str | None) -> None:
    headers, text = await get(RequestIdMiddleware(ECHO), sent)
    assert headers == [text]
    assert text != sent
    assert len(text) == 32
    assert int(text, 16)


async def test_made_ids_differ() -> None:
    assert await get(RequestIdMiddleware(ECHO), None) != await get(RequestIdMiddleware(ECHO), None)


class ServeProxy:
    """Treats ids like the proxy of Ray Serve 2.60: fills in a missing one, and always adds it to the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope["headers"]).get(HEADER.encode(), b"from-the-proxy")

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"X-Request-ID", sent)]
            await send(message)

        others = [(name, value) for name, value in scope["headers"] if name != HEADER.encode()]
        await self._app({**scope, "headers": [*others, (HEADER.encode(), sent)]}, receive, add)


async def plain(request: Request) -> Response:
    return PlainTextResponse(request.state.request_id)


BEHIND_PROXY = ServeProxy(RequestIdMiddleware(Starlette(routes=[Route("/", plain)]), returned_by_proxy=True))


@pytest.mark.parametrize(("sent", "expected"), [("mine", "mine"), (None, "from-the-proxy")])
async def test_behind_a_proxy_that_returns_the_id_there_is_still_one_header(sent: str | None, expected: str) -> None:
    assert await get(BEHIND_PROXY, sent) == ([expected], expected)


async def test_in_front_of_that_proxy_it_keeps_malformed_ids_out() -> None:
    app: ASGIApp = BEHIND_PROXY
    for middleware in serve_proxy_middlewares():
        app = middleware.cls(app, *middleware.args, **middleware.kwargs)
    headers, text = await get(app, "a b")
    assert headers == [text]
    assert text != "a b"

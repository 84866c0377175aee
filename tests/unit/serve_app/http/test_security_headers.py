"""Headers that every response has."""

from starlette.responses import PlainTextResponse

from serve_app.http.middleware import SecurityHeadersMiddleware
from tests.support.http import client_of


async def test_browsers_must_not_guess_content_types() -> None:
    async with client_of(SecurityHeadersMiddleware(PlainTextResponse("hello"))) as client:
        response = await client.get("/")
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.text == "hello"

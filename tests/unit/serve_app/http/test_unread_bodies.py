"""An answer before the end of the body: the connection stays open for bodies that end soon, and is closed for others."""

import pytest

from serve_app.http.app import create_app
from serve_app.http.middleware import DISCARDED_BYTES
from tests.support.http import FakeService, RawRequest, client_of, settings

LIMIT = 1000


async def connection_after(headers: dict[str, str], *chunks: bytes, more: bool = True, path: str = "/predict") -> tuple[int, str | None]:
    """Status and `connection` header of the answer after these chunks of the body."""
    app = create_app(FakeService(), settings(max_image_bytes=LIMIT, upload_deadline_s=0.05))
    request = RawRequest(app, path, {"content-type": "image/jpeg"} | headers)
    for number, chunk in enumerate(chunks, 1):
        await request.feed(chunk, more=more or number < len(chunks))
    status, answered, _ = await request.reply()
    return status, answered.get("connection")


@pytest.mark.parametrize("declared", [LIMIT + 1, DISCARDED_BYTES])
async def test_a_body_that_ends_soon_may_be_sent(declared: int) -> None:
    assert await connection_after({"content-length": str(declared)}) == (413, None)


@pytest.mark.parametrize("declared", [str(DISCARDED_BYTES + 1), "9" * 100])
async def test_a_very_long_body_is_cut(declared: str) -> None:
    assert await connection_after({"content-length": declared}) == (413, "close")


async def test_a_body_without_an_end_is_cut() -> None:
    assert await connection_after({"transfer-encoding": "chunked"}, b"x" * LIMIT, b"x") == (413, "close")


async def test_a_body_that_ran_into_the_deadline_is_cut() -> None:
    assert await connection_after({"content-length": "100"}, b"x") == (504, "close")


async def test_a_body_that_was_read_whole_leaves_the_connection_alone() -> None:
    assert await connection_after({"transfer-encoding": "chunked"}, b"x", b"y", more=False) == (200, None)
    assert await connection_after({"content-length": "9"}, b"overloade", more=False) == (200, None)
    assert await connection_after({"content-length": "12"}, b"not_an_image", more=False) == (400, None)


async def test_a_request_without_a_body_leaves_the_connection_alone() -> None:
    async with client_of(create_app(FakeService(), settings())) as client:
        assert "connection" not in (await client.get("/nothing")).headers
        assert "connection" not in (await client.post("/predict")).headers

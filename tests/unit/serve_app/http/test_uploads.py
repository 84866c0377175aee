"""Uploads: bodies are parsed within limits, and errors say what is wrong."""

import asyncio
import gc
from collections.abc import Callable

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.admission import Budget
from serve_app.http.app import create_app
from serve_app.http.faults import Refused
from serve_app.http.upload_places import UploadPlaces
from serve_app.http.uploads import FORM_OVERHEAD_BYTES, Upload, read_files, read_image
from serve_app.settings import Settings
from tests.support.http import FORM, FakeService, RawRequest, client_of, form, part, settings

LIMIT = 1000
LIMITS = settings(max_image_bytes=LIMIT, max_batch_files=3)
PREDICT = "/predict"
BATCH = "/predict-batch"


class Reader:
    """An ASGI app that only reads the body, as the request's path requires."""

    def __init__(self, limits: Settings = LIMITS, budget: Budget | None = None) -> None:
        self.limits = limits
        self.budget = budget or Budget(1_000_000)
        self.places = UploadPlaces(limits)
        self.outcome: bytes | list[Upload] | Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        read: Callable[..., object] = read_image if scope["path"] == PREDICT else read_files
        try:
            with self.budget.hold() as take:
                self.outcome = await read(request, self.limits, take, self.places)  # type: ignore[misc]
        except (Refused, ClientDisconnect) as error:
            self.outcome = error
        await JSONResponse({})(scope, receive, send)


async def read(path: str, body: bytes, content_type: str = FORM, chunk: int = 0) -> object:
    """The outcome of a body sent in chunks of this size (0: in one)."""
    reader = Reader()
    request = RawRequest(reader, path, {"content-type": content_type})
    size = chunk or max(len(body), 1)
    for start in range(0, len(body), size):
        await request.feed(body[start : start + size])
    await request.feed(b"", more=False)
    await request.ended()
    assert reader.budget.in_use == 0
    return reader.outcome


async def refusal_of(path: str, body: bytes, content_type: str = FORM, chunk: int = 0) -> tuple[Code, str]:
    """Code and text with which a body is refused."""
    outcome = await read(path, body, content_type, chunk)
    assert isinstance(outcome, Refused)
    return outcome.code, outcome.text or ""


@pytest.mark.parametrize("chunk", [1, 7, 0])
async def test_a_form_with_one_file(chunk: int) -> None:
    image = b"\x00\r\n--b0undar\r\n--\xff" * 20
    assert await read(PREDICT, form([part(image)]), chunk=chunk) == image


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/x-whatever", "Image/PNG; q=1", "application/octet-stream"])
async def test_the_image_as_the_body(content_type: str) -> None:
    assert await read(PREDICT, b"pixels", content_type, chunk=2) == b"pixels"


async def test_an_empty_file_is_passed_on() -> None:
    assert await read(PREDICT, form([part(b"")])) == b""


@pytest.mark.parametrize("chunk", [1, 50, 0])
async def test_a_batch_keeps_the_order_and_the_names(chunk: int) -> None:
    body = form([part(b"one", "files", "b.jpg"), part(b"two", "files", "a.jpg"), part(b"", "files", "b.jpg")])
    assert await read(BATCH, body, chunk=chunk) == [Upload("b.jpg", b"one"), Upload("a.jpg", b"two"), Upload("b.jpg", b"")]


@pytest.mark.parametrize("name", ["Müller.jpg", "写真.png", "a/b\\c.jpg", "%22quoted%22.jpg"])
async def test_names_come_back_as_sent(name: str) -> None:
    assert await read(BATCH, form([part(b"x", "files", name)])) == [Upload(name, b"x")]


async def test_a_name_that_is_no_utf8_is_read_as_latin1() -> None:
    body = form([part(b"x", "files", "NAME")]).replace(b"NAME", "Müller".encode("latin-1"))
    assert await read(BATCH, body) == [Upload("Müller", b"x")]


@pytest.mark.parametrize(
    ("path", "parts", "text"),
    [
        pytest.param(PREDICT, [], "no file", id="no file"),
        pytest.param(BATCH, [], "no file", id="no files"),
        pytest.param(PREDICT, [part(b"x", "image")], 'Unknown field "image"', id="unknown field"),
        pytest.param(PREDICT, [part(b"x"), part(b"1", "threshold", None)], 'Unknown field "threshold"', id="extra field"),
        pytest.param(BATCH, [part(b"x", "file")], 'Unknown field "file"', id="the other call's field"),
        pytest.param(PREDICT, [part(b"x"), part(b"y")], "more than one file", id="two files"),
        pytest.param(PREDICT, [part(b"text", "file", None)], "must be a file, not text", id="text field"),
        pytest.param(PREDICT, [part(b"", "file", "")], "no name", id="no file chosen"),
        pytest.param(BATCH, [part(b"x", "files")] * 4, "Maximum 3 images per batch", id="too many files"),
        pytest.param(PREDICT, [part(b"x", "n" * 1000)], f'Unknown field "{"n" * 40}":', id="a long name is cut"),
    ],
)
async def test_a_wrong_form_is_refused_with_the_reason(path: str, parts: list[bytes], text: str) -> None:
    code, reason = await refusal_of(path, form(parts))
    assert code is Code.BAD_REQUEST
    assert text in reason


GOOD = form([part(b"x")])


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(GOOD, "multipart/form-data", id="no boundary"),
        pytest.param(GOOD, "multipart/form-data; boundary=", id="empty boundary"),
        pytest.param(GOOD, "multipart/form-data; boundary=" + "b" * 300, id="huge boundary"),
        pytest.param(GOOD, "multipart/form-data; boundary=other", id="another boundary"),
        pytest.param(GOOD[:-8], FORM, id="cut in the closing boundary"),
        pytest.param(GOOD[:30], FORM, id="cut in a header"),
        pytest.param(b"", FORM, id="empty"),
        pytest.param(b"\x00" * 50, FORM, id="no form at all"),
        pytest.param(GOOD.replace(b"form-data", b"attachment"), FORM, id="no form data"),
        pytest.param(GOOD.replace(b'name="file"; ', b""), FORM, id="part without a name"),
        pytest.param(GOOD.replace(b"Content-Disposition", b"Content Disposition"), FORM, id="bad header name"),
        pytest.param(GOOD.replace(b"photo.jpg", b"p" * 10_000), FORM, id="huge header"),
        pytest.param(GOOD.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 100 + b"\r\n"), FORM, id="many headers"),
        pytest.param(GOOD, "application/x-www-form-urlencoded", id="the other kind of form"),
        pytest.param(GOOD, "application/json", id="json"),
        pytest.param(GOOD, "", id="no content type"),
        pytest.param(b"", "image/jpeg", id="empty image body"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 0])
async def test_a_malformed_body_is_a_bad_request(body: bytes, content_type: str, chunk: int, caplog: pytest.LogCaptureFixture) -> None:
    code, reason = await refusal_of(PREDICT, body, content_type, chunk)
    assert code is Code.BAD_REQUEST
    assert reason
    assert not caplog.records


@pytest.mark.parametrize("cut", [3, 12, 40])
async def test_a_batch_that_is_cut_off_is_refused_even_when_some_of_its_files_are_whole(cut: int) -> None:
    body = form([part(b"one", "files"), part(b"two", "files")])
    code, reason = await refusal_of(BATCH, body[:-cut])
    assert code is Code.BAD_REQUEST
    assert "cut off" in reason


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/plain"])
async def test_a_batch_must_be_a_form(content_type: str) -> None:
    code, reason = await refusal_of(BATCH, b"pixels", content_type)
    assert code is Code.BAD_REQUEST
    assert '"files"' in reason


@pytest.mark.parametrize(("size", "accepted"), [(LIMIT, True), (LIMIT + 1, False)])
@pytest.mark.parametrize("chunk", [1, 300, 0])
async def test_the_limit_counts_the_image_not_the_form(size: int, accepted: bool, chunk: int) -> None:
    image = b"x" * size
    for body, content_type in [(form([part(image)]), FORM), (image, "image/jpeg")]:
        if accepted:
            assert await read(PREDICT, body, content_type, chunk) == image
        else:
            assert await refusal_of(PREDICT, body, content_type, chunk) == (Code.IMAGE_TOO_LARGE, "")


async def test_a_file_over_the_limit_does_not_harm_its_neighbours() -> None:
    body = form([part(b"a", "files", "a"), part(b"x" * (LIMIT + 1), "files", "b"), part(b"c", "files", "c")])
    assert await read(BATCH, body, chunk=100) == [Upload("a", b"a"), Upload("b", None), Upload("c", b"c")]


@pytest.mark.parametrize(
    ("path", "limit"), [(PREDICT, LIMIT + FORM_OVERHEAD_BYTES), (BATCH, 3 * (LIMIT + FORM_OVERHEAD_BYTES))], ids=["one", "batch"]
)
async def test_a_body_declared_too_long_is_refused_before_it_is_read(path: str, limit: int) -> None:
    reader = Reader()
    request = RawRequest(reader, path, {"content-type": FORM, "content-length": str(limit + 1)})
    await request.ended()
    assert isinstance(reader.outcome, Refused)
    assert reader.outcome.code is Code.IMAGE_TOO_LARGE


@pytest.mark.parametrize("declared", ["nonsense", "9" * 5000, "-1"])
async def test_a_length_that_is_no_number_is_not_believed(declared: str) -> None:
    reader = Reader()
    request = RawRequest(reader, PREDICT, {"content-type": "image/jpeg", "content-length": declared})
    await request.feed(b"pixels", more=False)
    await request.ended()
    assert reader.outcome == b"pixels"


@pytest.mark.parametrize(("path", "content_type"), [(PREDICT, "image/jpeg"), (PREDICT, FORM), (BATCH, FORM)])
async def test_an_endless_body_is_refused_at_the_limit(path: str, content_type: str) -> None:
    reader = Reader()
    request = RawRequest(reader, path, {"content-type": content_type})
    await request.feed(part(b"", "file" if path == PREDICT else "files")[:-2])
    while reader.outcome is None:
        await request.feed(b"x" * 500)
    await request.ended()
    assert isinstance(reader.outcome, Refused)
    assert reader.outcome.code is Code.IMAGE_TOO_LARGE


async def test_reading_stops_with_the_file_that_is_too_many() -> None:
    reader = Reader()
    request = RawRequest(reader, BATCH, {"content-type": FORM})
    await request.feed(b"".join([part(b"x", "files")] * 4))
    await request.ended()
    assert isinstance(reader.outcome, Refused)
    assert reader.outcome.text == "Maximum 3 images per batch"


@pytest.mark.parametrize("content_type", ["image/jpeg", FORM])
async def test_a_body_that_does_not_arrive_in_time_is_refused(content_type: str) -> None:
    reader = Reader(settings(upload_deadline_s=0.01))
    request = RawRequest(reader, PREDICT, {"content-type": content_type})
    await request.ended()
    assert isinstance(reader.outcome, Refused)
    assert reader.outcome.code is Code.TIMEOUT
    assert reader.outcome.text == "The upload took longer than 0.01 seconds"
    assert reader.budget.in_use == 0


@pytest.mark.parametrize(
    "parts",
    [[part(b"x" * LIMIT)], [part(b"x" * LIMIT), part(b"", "image")], [part(b"x" * LIMIT * 2)]],
    ids=["valid", "refused", "too large"],
)
async def test_a_form_leaves_nothing_to_the_garbage_collector(parts: list[bytes]) -> None:
    async with client_of(create_app(FakeService(), LIMITS)) as client:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await client.post(PREDICT, content=form(parts), headers={"content-type": FORM})
            gc.collect()
            left = {type(each).__name__ for each in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert not left & {"MultipartParser", "Upload", "_Form", "_Parts"}


async def test_of_a_form_the_bytes_that_are_held_are_counted() -> None:
    reader = Reader()
    request = RawRequest(reader, BATCH, {"content-type": FORM})
    await request.feed(part(b"x" * 500, "files"))
    await request.feed(part(b"x" * LIMIT, "files")[:-2])
    assert 500 + LIMIT - 50 <= reader.budget.in_use <= 500 + LIMIT  # the parser may keep a few bytes that could begin a boundary
    await request.feed(b"x" * 100)
    assert reader.budget.in_use == 500  # that file is over the limit, and none of it is kept
    await request.feed(b"\r\n" + form([]), more=False)
    await request.ended()
    assert reader.outcome == [Upload("photo.jpg", b"x" * 500), Upload("photo.jpg", None)]
    assert reader.budget.in_use == 0


async def test_bytes_are_counted_as_they_arrive_and_given_back_when_the_client_goes() -> None:
    reader = Reader()
    request = RawRequest(reader, PREDICT, {"content-type": "image/jpeg"})
    await request.feed(b"12345")
    assert reader.budget.in_use == 5
    await request.feed(b"678")
    assert reader.budget.in_use == 8
    await request.hang_up()
    await request.ended()
    assert isinstance(reader.outcome, ClientDisconnect)
    assert reader.budget.in_use == 0


async def test_two_bodies_that_do_not_fit_together_are_not_held_together() -> None:
    budget = Budget(10)
    first, second = Reader(budget=budget), Reader(budget=budget)
    one = RawRequest(first, PREDICT, {"content-type": "image/jpeg"})
    await one.feed(b"12345678")
    two = RawRequest(second, PREDICT, {"content-type": "image/jpeg"})
    await two.feed(b"123")
    await two.ended()
    assert isinstance(second.outcome, Refused)
    assert second.outcome.code is Code.OVERLOADED
    await one.feed(b"9", more=False)
    await one.ended()
    assert first.outcome == b"123456789"
    assert budget.in_use == 0


async def test_a_cancelled_upload_gives_its_bytes_back() -> None:
    reader = Reader()
    request = RawRequest(reader, PREDICT, {"content-type": "image/jpeg"})
    await request.feed(b"12345")
    request.cancel()
    await asyncio.gather(request.ended(), return_exceptions=True)
    assert reader.budget.in_use == 0

"""Streams: a line for each photo as soon as it is answered, in bounded memory, and how a stream ends."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from serve_app.codes import Code, error_text
from serve_app.graph.messages import GraphOutcome
from serve_app.http.admission import LEAST_PHOTOS, SHARE_OF_STREAMS
from serve_app.http.answers import BatchItem, Fault, StreamItem
from serve_app.http.app import create_app
from serve_app.http.body_window import NDJSON
from serve_app.http.draining import drain
from serve_app.http.streaming import STOPPING
from serve_app.question import ORIGINAL, Question
from serve_app.records import RequestRecord
from tests.support.http import BOUNDARY, FORM, FakeService, RawRequest, client_of, form, part, settings

BATCH = "/predict-batch"
STREAM = {"content-type": FORM, "accept": NDJSON}
NEXT = f"--{BOUNDARY}\r\n".encode()  # begins a part, and so ends the one before it
END = f"--{BOUNDARY}--\r\n".encode()


class Held(FakeService):
    """Holds each photo until it is let go.

    Attributes:
        given_up: photos that nobody waits for any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.given_up: list[bytes] = []
        self._let_go: defaultdict[bytes, asyncio.Event] = defaultdict(asyncio.Event)

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        outcome = await super().predict(image, request_id, question)
        try:
            await self._let_go[image].wait()
        except asyncio.CancelledError:
            self.given_up.append(image)
            raise
        return outcome

    def let_go(self, *photos: bytes) -> None:
        for photo in photos:
            self._let_go[photo].set()


def file(content: bytes) -> bytes:
    return part(content, "files", f"{content[:20].decode()}.jpg")


def photos(count: int) -> list[bytes]:
    return [f"photo {number}".encode() for number in range(count)]


async def settled() -> None:
    """Lets everything go on that waits for nothing."""
    for _ in range(200):
        await asyncio.sleep(0)


async def streamed(service: FakeService, *contents: bytes, **limits: Any) -> tuple[int, list[dict[str, Any]]]:
    """Status and lines of a stream of files."""
    request = RawRequest(create_app(service, settings(**limits)), BATCH, STREAM)
    for content in contents:
        await request.send(file(content))
    await request.send(END, more=False)
    messages = await request.ended()
    return messages[0]["status"], request.lines


async def test_each_line_is_an_item_with_its_index() -> None:
    request = RawRequest(create_app(FakeService(), settings()), BATCH, STREAM | {"x-request-id": "r1"})
    await request.send(form([file(b"photo"), file(b"multiple_people")]), more=False)
    start, *_ = await request.ended()
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], headers["content-type"], headers["x-request-id"]) == (200, NDJSON, "r1")
    assert "content-length" not in headers
    items = {line["index"]: StreamItem.model_validate(line) for line in request.lines}
    assert [(items[index].filename, items[index].code) for index in range(2)] == [
        ("photo.jpg", Code.OK),
        ("multiple_people.jpg", Code.MULTIPLE_PEOPLE),
    ]
    assert items[0].request_id == "r1"


async def test_the_items_are_those_of_a_batch() -> None:
    files = [("files", (f"{code}.jpg", code.encode())) for code in ("ok", "unsure", "multiple_people", "not_an_image")]
    async with client_of(create_app(FakeService(), settings())) as client:
        client.headers["x-request-id"] = "r1"
        batch = await client.post(f"{BATCH}?people=each", files=files)
        stream = await client.post(f"{BATCH}?people=each", files=files, headers={"accept": f"{NDJSON}, application/json;q=0.5"})
    lines = sorted(map(json.loads, stream.text.splitlines()), key=lambda line: int(line["index"]))
    assert [line.pop("index") for line in lines] == [0, 1, 2, 3]
    assert lines == batch.json()["results"]
    assert BatchItem.model_validate(lines[2]).people[0]


async def test_lines_come_in_the_order_of_finishing() -> None:
    service = Held()
    request = RawRequest(create_app(service, settings()), BATCH, STREAM)
    for photo in photos(3):
        await request.feed(file(photo))
    await request.feed(NEXT)
    for number, (photo, index) in enumerate([(b"photo 2", 2), (b"photo 0", 0)], 1):
        service.let_go(photo)
        assert [line["index"] for line in await request.has_lines(number)][-1] == index
    await request.feed(file(b"photo 3").removeprefix(NEXT))
    service.let_go(b"photo 1", b"photo 3")
    await request.send(END, more=False)
    await request.ended()
    assert sorted(line["index"] for line in request.lines) == [0, 1, 2, 3]
    assert request.messages[-1] == {"type": "http.response.body", "body": b""}


FIRST = int(LEAST_PHOTOS * SHARE_OF_STREAMS)  # before there is a pace


@pytest.mark.parametrize(("limits", "most"), [({}, FIRST), ({"max_batch_files": FIRST - 1}, FIRST - 1)])
async def test_no_more_is_read_while_too_many_photos_have_no_answer(limits: dict[str, Any], most: int) -> None:
    service = FakeService()
    service.gate.clear()
    request = RawRequest(create_app(service, settings(**limits)), BATCH, STREAM)
    for photo in photos(50):
        await request.send(file(photo))
    await request.send(END, more=False)
    await settled()
    assert len(service.photos) == most
    assert request.unread == 51 - most - 2  # one photo waits for its place, and its end was seen at the beginning of the next one
    service.gate.set()
    await request.ended()
    assert sorted(line["index"] for line in request.lines) == [*range(50)]


async def test_a_stream_leaves_room_for_other_requests() -> None:
    service = FakeService()
    service.gate.clear()
    app = create_app(service, settings())
    request = RawRequest(app, BATCH, STREAM)
    for photo in photos(20):
        await request.send(file(photo))
    await service.has_photos(FIRST)
    async with client_of(app) as client:
        others = [
            asyncio.create_task(client.post("/predict", content=b"other", headers={"content-type": "image/jpeg"}))
            for _ in range(LEAST_PHOTOS - FIRST)
        ]
        await service.has_photos(LEAST_PHOTOS)
        service.gate.set()
        assert {(await other).status_code for other in others} == {200}
    await request.send(END, more=False)
    await request.ended()
    assert len(request.lines) == 20


async def test_streams_wait_for_memory_and_not_for_each_other() -> None:
    service = FakeService()
    service.gate.clear()
    limits = settings(max_image_bytes=1000, max_batch_files=2, max_upload_bytes_in_flight=2000)
    app = create_app(service, limits)
    requests = []
    for _ in range(2):
        requests.append(RawRequest(app, BATCH, STREAM))
        for letter in b"abcdef":
            await requests[-1].send(file(bytes([letter]) * 900))
        await requests[-1].send(END, more=False)
        await settled()
    assert (len(service.photos), requests[1].unread) == (2, 7)
    service.gate.set()
    for request in requests:
        await request.ended()
        assert [line["code"] for line in request.lines] == ["ok"] * 6


async def test_a_client_is_held_to_its_rate_instead_of_refused() -> None:
    status, lines = await streamed(FakeService(), *photos(30), rate_limit_photos_per_s=500.0, rate_limit_burst=10)
    assert (status, {line["code"] for line in lines}, len(lines)) == (200, {"ok"}, 30)


async def test_the_fault_of_a_photo_is_its_line() -> None:
    class Faulty(FakeService):
        async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
            if image == b"bug":
                raise KeyError(image)
            return await super().predict(image, request_id, question)

    contents = [b"not_an_image", b"x" * 101, b"bug", b"overloaded", b"photo"]
    status, lines = await streamed(Faulty(), *contents, max_image_bytes=100)
    codes = {line["index"]: line["code"] for line in lines}
    assert (status, codes) == (200, {0: "not_an_image", 1: "image_too_large", 2: "internal", 3: "overloaded", 4: "ok"})
    assert all(line["error"] == error_text(Code(line["code"])) for line in lines)


# --- how a stream ends ----------------------------------------------------------------------------------------------


async def test_when_the_client_goes_its_photos_are_given_up() -> None:
    service = Held()
    request = RawRequest(create_app(service, settings()), BATCH, STREAM)
    for photo in photos(3):
        await request.feed(file(photo))
    await request.feed(NEXT)
    await service.has_photos(3)
    await request.hang_up()
    assert await request.ended() == []
    assert sorted(service.given_up) == photos(3)


async def test_the_same_after_the_last_photo() -> None:
    service = Held()
    request = RawRequest(create_app(service, settings()), BATCH, STREAM)
    await request.send(form(map(file, photos(3))), more=False)
    await service.has_photos(3)
    await request.hang_up()
    await request.ended()
    assert sorted(service.given_up) == photos(3)


async def test_and_when_its_request_is_cancelled() -> None:
    service = Held()
    app = create_app(service, settings(max_streams=1))
    request = RawRequest(app, BATCH, STREAM)
    for photo in photos(FIRST + 2):
        await request.send(file(photo))
    await service.has_photos(FIRST)
    await settled()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.ended()
    assert sorted(service.given_up) == photos(FIRST)
    again = RawRequest(app, BATCH, STREAM)
    service.let_go(*photos(FIRST + 2))
    await again.send(form(map(file, photos(FIRST + 2))), more=False)
    await again.ended()
    assert len(again.lines) == FIRST + 2


BROKEN = {
    "cut off": (b"", "The form is cut off: its closing boundary is missing", 2),
    "malformed": (NEXT + b"no header\r\n", "The form is malformed", 3),
    "another field": (part(b"1", "threshold", None), 'Unknown field "threshold": the form takes files in the field "files" only', 3),
    "too many files": (file(b"photo 3") + file(b"photo 4"), "Maximum 4 images per stream", 4),
}


@pytest.mark.parametrize(("rest", "text", "whole"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_body_that_breaks_is_the_last_line_after_all_others(rest: bytes, text: str, whole: int) -> None:
    service = Held()
    records: list[RequestRecord] = []
    app = create_app(service, settings(max_stream_files=4, max_batch_files=4), tell=records.append)
    request = RawRequest(app, BATCH, STREAM)
    for photo in photos(3):
        await request.feed(file(photo))
    service.let_go(b"photo 0")
    await request.has_lines(1)
    await request.send(rest, more=False)
    await settled()
    service.let_go(*photos(4))
    await request.ended()
    *items, last = request.lines
    assert request.messages[0]["status"] == 200
    assert sorted(item["index"] for item in items) == [*range(whole)]
    assert Fault.model_validate(last) == Fault.of(Code.BAD_REQUEST, last["request_id"], text)
    assert [(record.status, record.code, len(record.photos)) for record in records] == [(200, Code.BAD_REQUEST, len(items))]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        pytest.param({}, b"", 400, "bad_request", id="cut off"),
        pytest.param({}, form([]), 400, "bad_request", id="no file"),
        pytest.param({}, form([part(b"x", "file")]), 400, "bad_request", id="another field"),
        pytest.param({"content-type": "image/jpeg"}, b"x", 400, "bad_request", id="no form"),
        pytest.param({"content-length": "99999999999"}, b"", 413, "image_too_large", id="too large"),
    ],
)
async def test_before_the_first_line_a_fault_has_its_status(headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    request = RawRequest(create_app(FakeService(), settings()), BATCH, STREAM | headers)
    await request.send(body, more=False)
    answered, _, fault = await request.reply()
    assert (answered, fault["code"]) == (status, code)


async def test_of_too_many_streams_the_last_are_refused() -> None:
    service = Held()
    app = create_app(service, settings(max_streams=1))
    request = RawRequest(app, BATCH, STREAM)
    await request.feed(file(b"photo 0"))
    status, headers, fault = await RawRequest(app, BATCH, STREAM).reply()
    assert (status, fault["code"], headers["retry-after"]) == (503, "overloaded", "1")
    service.let_go(b"photo 0")
    await request.send(END, more=False)
    assert (await request.ended())[0]["status"] == 200


async def test_a_stream_that_takes_too_long_says_so() -> None:
    service = FakeService()
    request = RawRequest(create_app(service, settings(stream_deadline_s=0.01)), BATCH, STREAM)
    await request.send(file(b"photo 0") + NEXT)
    await request.ended()
    item, last = request.lines
    assert (item["index"], last["code"], last["error"]) == (0, "timeout", "The upload took longer than 0.01 seconds")


async def test_when_the_service_stops_a_stream_answers_what_it_has_and_says_so(tmp_path: Path) -> None:
    service = Held()
    request = RawRequest(create_app(service, settings(drain_dir=tmp_path)), BATCH, STREAM)
    for photo in photos(2):
        await request.feed(file(photo))
    assert not drain(tmp_path, seconds=0)
    await request.send(file(b"photo 2"))
    await request.send(file(b"photo 3"))
    service.let_go(*photos(4))
    await request.ended()
    *items, last = request.lines
    assert sorted(item["index"] for item in items) == [0, 1]
    assert (last["code"], last["error"]) == ("overloaded", STOPPING)
    assert drain(tmp_path, seconds=0)


async def test_a_stream_that_has_arrived_whole_is_finished(tmp_path: Path) -> None:
    service = Held()
    request = RawRequest(create_app(service, settings(drain_dir=tmp_path)), BATCH, STREAM)
    await request.send(form(map(file, photos(2))))
    await service.has_photos(2)
    assert not drain(tmp_path, seconds=0)
    await request.send(b"", more=False)
    service.let_go(*photos(2))
    await request.ended()
    assert sorted(line["index"] for line in request.lines) == [0, 1]


async def test_an_explanation_is_for_one_photo() -> None:
    async with client_of(create_app(FakeService(), settings())) as client:
        answer = await client.post(f"{BATCH}?explain=true", files={"files": b"x"}, headers={"accept": NDJSON})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")

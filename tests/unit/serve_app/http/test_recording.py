"""Each request has one record, whoever answers it; refusals reach the metric that the alert reads."""

import asyncio
import contextlib
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response
from ray.serve import metrics as metrics_of_ray
from starlette.types import Receive, Scope, Send

from serve_app import telemetry
from serve_app.codes import MEANINGS, Code
from serve_app.graph.messages import GraphOutcome
from serve_app.http.admission import LEAST_PHOTOS
from serve_app.http.app import create_app
from serve_app.http.draining import drain
from serve_app.http.middleware import SecurityHeadersMiddleware
from serve_app.question import ORIGINAL, Question
from serve_app.records import PhotoRecord, RequestRecord
from serve_app.telemetry import IngressMetrics
from tests.support.http import FORM, FakeService, RawRequest, client_of, settings

IMAGE = {"content-type": "image/jpeg"}


class FakeMetric:
    """What Ray would export."""

    def __init__(self, name: str, *_: object, tag_keys: tuple[str, ...] = ()) -> None:
        self.values: Counter[str] = Counter()
        self._tag_keys = tag_keys

    def inc(self, value: float, tags: dict[str, str]) -> None:
        assert (*tags,) == self._tag_keys
        self.values[tags["code"]] += int(value)

    def observe(self, value: float, tags: dict[str, str]) -> None:
        assert (*tags,) == self._tag_keys
        self.values[next(iter(tags.values()))] += 1


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> IngressMetrics:
    monkeypatch.setattr(metrics_of_ray, "Counter", FakeMetric)
    monkeypatch.setattr(metrics_of_ray, "Histogram", FakeMetric)
    return IngressMetrics()


def answers(metrics: IngressMetrics) -> Counter[str]:
    """`gender_answers` by code."""
    assert isinstance(metrics._answers, FakeMetric)
    return metrics._answers.values


async def post(client: AsyncClient, photo: bytes = b"photo") -> int:
    return (await client.post("/predict", content=photo, headers=IMAGE)).status_code


async def test_when_three_quarters_are_refused_the_metric_says_so(metrics: IngressMetrics) -> None:
    service = FakeService()
    async with client_of(create_app(service, settings(), tell=metrics.request)) as client:
        service.gate.clear()
        admitted = [asyncio.create_task(post(client)) for _ in range(LEAST_PHOTOS)]
        await service.has_photos(LEAST_PHOTOS)
        assert {await post(client) for _ in range(3 * LEAST_PHOTOS)} == {503}
        service.gate.set()
        assert set(await asyncio.gather(*admitted)) == {200}
    assert answers(metrics) == {"ok": LEAST_PHOTOS, "overloaded": 3 * LEAST_PHOTOS}


@pytest.mark.parametrize("code", Code)
async def test_every_code_of_the_graph_is_counted_once(metrics: IngressMetrics, code: Code) -> None:
    async with client_of(create_app(FakeService(), settings(), tell=metrics.request)) as client:
        assert await post(client, code.encode()) == MEANINGS[code].status
    assert answers(metrics) == {code: 1}


async def test_a_batch_counts_its_photos(metrics: IngressMetrics) -> None:
    async with client_of(create_app(FakeService(), settings(max_image_bytes=20), tell=metrics.request)) as client:
        await client.post("/predict-batch", files=[("files", ("a", each)) for each in (b"a", b"b", b"no_person", b"x" * 21)])
    assert answers(metrics) == {"ok": 2, "no_person": 1, "image_too_large": 1}


async def test_what_is_not_about_photos_is_not_counted(metrics: IngressMetrics) -> None:
    async with client_of(create_app(FakeService(), settings(), tell=metrics.request)) as client:
        for path in ("/", "/health", "/live", "/nothing", "/predict"):
            await client.get(path)
    assert not answers(metrics)


# --- each kind of refusal -------------------------------------------------------------------------------------------


@pytest.fixture
def records() -> list[RequestRecord]:
    return []


async def test_no_room_for_its_bytes(records: list[RequestRecord]) -> None:
    app = create_app(FakeService(), settings(max_upload_bytes_in_flight=1000, max_image_bytes=1000, max_batch_files=1), tell=records.append)
    slow = RawRequest(app, "/predict", IMAGE)
    await slow.feed(b"x" * 900)
    async with client_of(app) as client:
        await post(client, b"y" * 200)
    await slow.hang_up()
    await slow.ended()
    assert [(record.status, record.code, record.about_photos) for record in records] == [
        (503, Code.OVERLOADED, True),
        (None, None, True),  # its client has gone
    ]


async def test_no_place_for_an_upload(records: list[RequestRecord]) -> None:
    app = create_app(FakeService(), settings(max_uploads=1), tell=records.append)
    slow = RawRequest(app, "/predict", IMAGE)
    await slow.feed(b"x")
    async with client_of(app) as client:
        await post(client)
    assert [record.code for record in records] == [Code.OVERLOADED]
    await slow.feed(b"", more=False)
    await slow.ended()


async def test_an_upload_that_is_too_slow(records: list[RequestRecord]) -> None:
    request = RawRequest(
        create_app(FakeService(), settings(upload_deadline_s=0.01), tell=records.append), "/predict-batch", {"content-type": FORM}
    )
    await request.ended()
    assert [(record.call, record.code) for record in records] == [("/predict-batch", Code.TIMEOUT)]


async def test_a_service_that_stops(records: list[RequestRecord], tmp_path: Path) -> None:
    app = create_app(FakeService(), settings(drain_dir=tmp_path), tell=records.append)
    assert drain(tmp_path, seconds=0)
    async with client_of(app) as client:
        await post(client)
    assert [record.code for record in records] == [Code.OVERLOADED]


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [(b"x", "text/plain", Code.BAD_REQUEST), (b"x" * 11, "image/png", Code.IMAGE_TOO_LARGE)],
)
async def test_a_body_that_is_refused(records: list[RequestRecord], content: bytes, content_type: str, code: Code) -> None:
    async with client_of(create_app(FakeService(), settings(max_image_bytes=10), tell=records.append)) as client:
        await client.post("/predict/", content=content, headers={"content-type": content_type, "x-request-id": "r1"})
    assert [(record.request_id, record.call, record.code, record.photos) for record in records] == [("r1", "/predict", code, [])]


async def test_a_fault_of_the_service(records: list[RequestRecord]) -> None:
    service = FakeService()
    service.raises = RuntimeError()
    async with client_of(create_app(service, settings(), tell=records.append)) as client:
        await post(client)
    assert [(record.status, record.code) for record in records] == [(500, Code.INTERNAL)]


async def test_a_fault_of_the_middleware_is_recorded_and_has_our_body(
    records: list[RequestRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    monkeypatch.setattr(SecurityHeadersMiddleware, "__call__", fail)
    async with client_of(create_app(FakeService(), settings(), tell=records.append)) as client:
        response = await client.get("/health", headers={"x-request-id": "r1"})
    assert (response.status_code, response.json()["code"], response.json()["request_id"]) == (500, "internal", "r1")
    assert response.headers["x-request-id"] == "r1"
    assert [(record.status, record.code) for record in records] == [(500, Code.INTERNAL)]


async def test_a_request_that_is_cancelled(records: list[RequestRecord]) -> None:
    service = FakeService()
    service.gate.clear()
    request = RawRequest(create_app(service, settings(), tell=records.append), "/predict", IMAGE)
    await request.feed(b"photo", more=False)
    await service.has_photos(1)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request.ended()
    assert [(record.status, record.code) for record in records] == [(None, None)]


async def test_an_address_of_the_clients_invention_is_not_told(records: list[RequestRecord]) -> None:
    async with client_of(create_app(FakeService(), settings(), tell=records.append)) as client:
        await client.get("/holiday.jpg")
    assert [(record.call, record.code, record.about_photos) for record in records] == [(None, Code.NOT_FOUND, False)]


# --- the log --------------------------------------------------------------------------------------------------------


async def test_a_request_is_one_line(metrics: IngressMetrics, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serve_app.telemetry")
    async with client_of(create_app(FakeService(), settings(), tell=metrics.request)) as client:
        await client.get("/health")
        await client.post("/predict", content=b"photo", headers=IMAGE | {"x-request-id": "r1"})
        await client.post("/predict", content=b"", headers=IMAGE | {"x-request-id": "r2"})
        await client.post("/predict-batch", files=[("files", ("a", b"a")), ("files", ("b", b"b"))], headers={"x-request-id": "r3"})
        await client.get("/nothing", headers={"x-request-id": "r4"})
    lines = [vars(record) for record in caplog.records]
    assert [(line["photo_request_id"], line["call"], line["status"], line["code"]) for line in lines] == [
        ("r1", "/predict", 200, "ok"),
        ("r2", "/predict", 400, "bad_request"),
        ("r3", "/predict-batch", 200, "ok"),
        ("r4", None, 404, "not_found"),
    ]
    assert lines[2]["codes"] == {"ok": 2}


def test_the_times_of_a_batch_are_those_of_its_slowest_photo(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serve_app.telemetry")
    photos = [
        PhotoRecord(Code.OK, stages={"decode": 0.002, "total": 0.5}),
        PhotoRecord(Code.OK, stages={"decode": 0.01}),
    ]
    telemetry.log_request(RequestRecord("r1", "/predict-batch", True, photos, 200, Code.OK, 0.6))
    [line] = [vars(record) for record in caplog.records]
    assert (line["decode_ms"], line["total_ms"]) == (10.0, 500.0)
    assert line["message"] == "ok in 600 ms"


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"42-{TRACE}-b7ad6b7169203331-00-more", TRACE),  # of a later version
        (None, None),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", None),
        ("photo.jpg", None),
    ],
)
async def test_the_clients_trace_is_in_the_log(
    metrics: IngressMetrics, caplog: pytest.LogCaptureFixture, sent: str | None, told: str | None
) -> None:
    caplog.set_level(logging.INFO, "serve_app.telemetry")
    async with client_of(create_app(FakeService(), settings(), tell=metrics.request)) as client:
        await client.post("/predict", content=b"photo", headers=IMAGE | ({"traceparent": sent} if sent else {}))
    [line] = [vars(record) for record in caplog.records]
    assert line.get("trace_id") == told


# --- Server-Timing --------------------------------------------------------------------------------------------------


def durations(response: Response) -> dict[str, float]:
    return {name: float(value) for name, value in (each.split(";dur=") for each in response.headers["server-timing"].split(", "))}


class Timed(FakeService):
    """A photo took ten milliseconds to decode."""

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        return replace(await super().predict(image, request_id), stages={"decode": 0.01, "total": 100.0})


async def test_an_answer_tells_its_stages(metrics: IngressMetrics) -> None:
    async with client_of(create_app(Timed(), settings())) as client:
        for photo in (b"photo", b"not_an_image"):
            told = durations(await client.post("/predict", content=photo, headers=IMAGE))
            assert (told["decode"], [*told]) == (10.0, ["decode", "total"])
            assert told["total"] < 100_000  # of the whole request, and not the graph's


async def test_a_batch_tells_the_sums_of_its_stages(metrics: IngressMetrics) -> None:
    async with client_of(create_app(Timed(), settings())) as client:
        response = await client.post("/predict-batch", files=[("files", (name, b"photo")) for name in "abc"])
        assert durations(response)["decode"] == 30.0


async def test_a_refusal_tells_its_time_and_other_answers_none(metrics: IngressMetrics) -> None:
    async with client_of(create_app(Timed(), settings())) as client:
        assert [*durations(await client.post("/predict", content=b"", headers=IMAGE))] == ["total"]
        assert "server-timing" not in (await client.get("/health")).headers

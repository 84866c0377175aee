"""Closed and open loop against a server whose answers the test chooses."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from benchmarks.load import ClosedLoop, OpenLoop, Upload, arrivals, drive, parse_body

ROOT = Path(__file__).parents[3]
PHOTOS = [b"first", b"second", b"third"]


class FakeServer:
    """Answers at once while `gate` is set, and records the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.outstanding = self.most_outstanding = 0
        self._arrival = asyncio.Condition()

    async def predict(self, request: web.Request) -> web.Response:
        """One photo."""
        body = await request.read()
        async with self._arrival:
            self.bodies.append(body)
            self._arrival.notify_all()
        self.outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        await self.gate.wait()
        self.outstanding -= 1
        return web.json_response({"code": "ok" if self.status == 200 else "overloaded"}, status=self.status, headers=self.headers)

    async def has_photos(self, count: int) -> None:
        """Waits until `count` photos have arrived."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.bodies) >= count)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    """A server on a free port."""
    fake = FakeServer()
    app = web.Application()
    app.router.add_post("/predict", fake.predict)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/predict"
    yield fake
    await runner.cleanup()


def test_arrivals_are_a_poisson_process_of_the_rate_and_the_same_each_time() -> None:
    times = list(arrivals(OpenLoop(50), 100))
    assert times == list(arrivals(OpenLoop(50), 100))
    assert times != list(arrivals(OpenLoop(50, seed=2), 100))
    assert len(times) == pytest.approx(5000, rel=0.1)
    gaps = np.diff(times)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)  # as of an exponential distribution


async def test_a_closed_loop_has_one_request_for_each_client(server: FakeServer) -> None:
    record = await drive(ClosedLoop(3), Upload(server.url, raw=True), PHOTOS, warm_up=0, seconds=0.3)
    assert server.most_outstanding <= 3
    assert len(record.samples) == len(server.bodies) > 3
    assert {(sample.status, sample.outcome) for sample in record.samples} == {(200, "ok")}


async def test_photos_are_sent_in_turn(server: FakeServer) -> None:
    await drive(ClosedLoop(1), Upload(server.url, raw=True), PHOTOS, warm_up=0, seconds=0.3)
    assert server.bodies == list(itertools.islice(itertools.cycle(PHOTOS), len(server.bodies)))


async def test_who_is_refused_waits_as_told(server: FakeServer) -> None:
    server.status, server.headers = 503, {"Retry-After": "0.3"}
    record = await drive(ClosedLoop(2), Upload(server.url, raw=True), PHOTOS, warm_up=0, seconds=0.25)
    assert [(sample.status, sample.outcome) for sample in record.samples] == [(503, "overloaded")] * 2


async def test_who_is_impatient_asks_again_at_once(server: FakeServer) -> None:
    server.status, server.headers = 503, {"Retry-After": "1000"}
    record = await drive(ClosedLoop(1, patient=False), Upload(server.url, raw=True), PHOTOS, warm_up=0, seconds=0.25)
    assert len(record.samples) > 1


async def test_an_open_loop_does_not_wait_for_answers_and_counts_from_when_it_was_to_send(server: FakeServer) -> None:
    server.gate.clear()
    load = OpenLoop(100)
    expected = list(arrivals(load, 0.3))
    running = asyncio.create_task(drive(load, Upload(server.url, raw=True), PHOTOS, warm_up=0, seconds=0.3))
    await server.has_photos(len(expected))
    server.gate.set()
    record = await running
    samples = sorted(record.samples, key=lambda sample: sample.scheduled)
    assert [sample.scheduled for sample in samples] == expected
    assert all(sample.finished >= max(expected) for sample in samples)


async def test_without_an_answer_the_failure_is_the_outcome(server: FakeServer) -> None:
    nobody = "http://127.0.0.1:9/predict"
    record = await drive(ClosedLoop(1), Upload(nobody), PHOTOS, warm_up=0, seconds=0.05)
    assert {(sample.status, sample.outcome) for sample in record.samples} == {(0, "ClientConnectorError")}


async def test_a_form_carries_the_photo_as_its_file(server: FakeServer) -> None:
    body, headers = Upload(server.url).request(b"the photo")
    assert headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="file"' in body
    assert b"\r\n\r\nthe photo\r\n" in body


@pytest.mark.parametrize(
    ("body", "parsed"), [(b'{"a": 1}', {"a": 1}), (b'[{"a": 1}]', {"a": 1}), (b"[]", {}), (b"no JSON", {}), (b"7", {})]
)
def test_bodies_are_objects_or_nothing(body: bytes, parsed: dict[str, int]) -> None:
    assert parse_body(body) == parsed


def test_the_client_does_without_torch() -> None:
    command = [sys.executable, "-c", "import sys, benchmarks.load; sys.exit('torch' in sys.modules)"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0

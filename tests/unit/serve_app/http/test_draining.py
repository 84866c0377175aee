"""Draining: nothing more is admitted, and the stopping process knows when nothing is in flight."""

import asyncio
import shutil
from pathlib import Path

from serve_app.http.app import create_app
from serve_app.http.draining import REQUESTS, drain
from tests.support.http import FakeService, RawRequest, client_of, settings

PHOTO = {"content-type": "image/jpeg"}


async def test_an_idle_service_is_drained_at_once_and_admits_nothing_more(tmp_path: Path) -> None:
    async with client_of(create_app(FakeService(), settings(drain_dir=tmp_path))) as client:
        assert (await client.post("/predict", content=b"photo", headers=PHOTO)).status_code == 200
        assert drain(tmp_path, seconds=0)
        for response in (await client.post("/predict", content=b"photo", headers=PHOTO), await client.get("/health")):
            assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (503, "overloaded", "1")
            assert response.headers["x-content-type-options"]


async def test_what_is_in_flight_is_waited_for_and_answered(tmp_path: Path) -> None:
    service = FakeService()
    service.gate.clear()
    async with client_of(create_app(service, settings(drain_dir=tmp_path))) as client:
        pending = [asyncio.create_task(client.post("/predict", content=b"photo", headers=PHOTO)) for _ in range(2)]
        await service.has_photos(2)
        assert not drain(tmp_path, seconds=0)
        assert (await client.post("/predict", content=b"photo", headers=PHOTO)).status_code == 503
        drained = asyncio.create_task(asyncio.to_thread(drain, tmp_path, 60))
        service.gate.set()
        assert [(await each).status_code for each in pending] == [200, 200]
        assert await drained


async def test_an_upload_is_in_flight(tmp_path: Path) -> None:
    request = RawRequest(create_app(FakeService(), settings(drain_dir=tmp_path)), "/predict", PHOTO)
    await request.feed(b"half")
    assert not drain(tmp_path, seconds=0)
    await request.feed(b"whole", more=False)
    assert (await request.reply())[0] == 200
    assert drain(tmp_path, seconds=0)


async def test_all_replicas_are_waited_for(tmp_path: Path) -> None:
    apps = [create_app(FakeService(), settings(drain_dir=tmp_path)) for _ in range(2)]
    first, second = (RawRequest(app, "/predict", PHOTO) for app in apps)
    await first.feed(b"half")
    await second.feed(b"half")
    await first.feed(b"whole", more=False)
    await first.ended()
    assert not drain(tmp_path, seconds=0)
    second.cancel()
    await asyncio.gather(second.ended(), return_exceptions=True)
    assert drain(tmp_path, seconds=0)


async def test_the_wait_can_be_given_up(tmp_path: Path) -> None:
    request = RawRequest(create_app(FakeService(), settings(drain_dir=tmp_path)), "/predict", PHOTO)
    await request.feed(b"half")
    assert not drain(tmp_path, seconds=3600, give_up=lambda: True)


async def test_without_the_folder_everything_is_admitted(tmp_path: Path) -> None:
    async with client_of(create_app(FakeService(), settings(drain_dir=tmp_path / "on another machine"))) as client:
        assert (await client.post("/predict", content=b"photo", headers=PHOTO)).status_code == 200


async def test_a_folder_that_somebody_cleaned_away_does_not_mean_stopping(tmp_path: Path) -> None:
    folder = tmp_path / "drain"
    folder.mkdir()
    async with client_of(create_app(FakeService(), settings(drain_dir=folder))) as client:
        shutil.rmtree(folder)
        for _ in range(2):
            assert (await client.post("/predict", content=b"photo", headers=PHOTO)).status_code == 200


async def test_a_file_that_cannot_be_opened_does_not_mean_stopping(tmp_path: Path) -> None:
    (tmp_path / REQUESTS).mkdir()
    async with client_of(create_app(FakeService(), settings(drain_dir=tmp_path))) as client:
        assert (await client.post("/predict", content=b"photo", headers=PHOTO)).status_code == 200


async def test_while_the_service_stops_its_process_is_alive(tmp_path: Path) -> None:
    async with client_of(create_app(FakeService(), settings(drain_dir=tmp_path))) as client:
        assert drain(tmp_path, seconds=0)
        assert [(await client.get(path)).status_code for path in ("/live", "/live/", "/health")] == [200, 200, 503]

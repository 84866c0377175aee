"""Slow uploads cannot take all places: they are ended, at once when others wait for their place."""

import asyncio
from collections import Counter

import pytest

from serve_app.codes import Code
from serve_app.http import upload_places
from serve_app.http.app import create_app
from serve_app.http.faults import Refused
from serve_app.http.upload_places import UploadPlaces
from tests.support.http import FakeService, RawRequest, client_of, settings

IMAGE = {"content-type": "image/jpeg"}


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slowest always has to leave for a newcomer, and only then, however long the test takes."""
    monkeypatch.setattr(upload_places, "PATIENCE_S", -3600.0)
    monkeypatch.setattr(upload_places, "GRACE_S", 3600.0)


async def test_280_uploads_of_a_byte_do_not_block_a_photo(no_patience: None) -> None:
    app = create_app(FakeService(), settings(upload_deadline_s=3600))
    slow = [RawRequest(app, "/predict", IMAGE) for _ in range(280)]
    for request in slow:
        await request.feed(b"x")
    async with client_of(app) as client:
        assert (await client.post("/predict", content=b"photo", headers=IMAGE)).json()["code"] == "ok"
    for request in slow:
        await request.hang_up()
    await asyncio.gather(*(request.ended() for request in slow))
    statuses = Counter(request.messages[0]["status"] if request.messages else None for request in slow)
    assert statuses == {504: 281 - settings().max_uploads, None: settings().max_uploads - 1}


async def test_a_newcomer_takes_the_place_of_the_slowest(no_patience: None) -> None:
    app = create_app(FakeService(), settings(max_uploads=2, min_upload_bytes_per_s=1000))
    fast, slow = RawRequest(app, "/predict", IMAGE), RawRequest(app, "/predict", IMAGE)
    await fast.feed(b"x" * 100_000)
    await slow.feed(b"x")
    newcomer = RawRequest(app, "/predict", IMAGE)
    await newcomer.feed(b"x" * 100_000)
    status, _, body = await slow.reply()
    assert (status, body["code"], body["error"]) == (504, "timeout", "The upload was slower than 1000 bytes per second")
    for request in (fast, newcomer):
        await request.feed(b"", more=False)
        assert (await request.reply())[0] == 200


async def test_while_nobody_is_slow_a_newcomer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_places, "PATIENCE_S", 3600.0)
    monkeypatch.setattr(upload_places, "GRACE_S", 3600.0)
    app = create_app(FakeService(), settings(max_uploads=1))
    first = RawRequest(app, "/predict", IMAGE)
    await first.feed(b"x")
    status, headers, body = await RawRequest(app, "/predict-batch", {"content-type": "multipart/form-data; boundary=b"}).reply()
    assert (status, body["code"], headers["retry-after"]) == (503, "overloaded", "1")
    await first.feed(b"", more=False)
    assert (await first.reply())[0] == 200


async def test_below_the_minimum_rate_an_upload_is_ended_though_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_places, "GRACE_S", 0.01)
    places = UploadPlaces(settings())
    with pytest.raises(Refused) as refused:
        async with places.place():
            await asyncio.Event().wait()
    assert refused.value.code is Code.TIMEOUT
    assert refused.value.text == "The upload was slower than 10000 bytes per second"


async def test_each_byte_gives_more_time_up_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_places, "GRACE_S", 0.01)
    places = UploadPlaces(settings(min_upload_bytes_per_s=1, upload_deadline_s=0.02))
    with pytest.raises(Refused) as refused:
        async with places.place() as body:
            body.received(3600)
            await asyncio.Event().wait()
    assert refused.value.text == "The upload took longer than 0.02 seconds"


async def test_a_fast_start_of_a_long_body_does_not_let_it_be_silent_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_places, "GRACE_S", 0.01)
    places = UploadPlaces(settings(min_upload_bytes_per_s=1, upload_deadline_s=0.02))
    with pytest.raises(Refused) as refused:
        async with places.place(deadline_s=3600) as body:
            body.received(10_000)
            await asyncio.Event().wait()
    assert refused.value.text == "The upload was slower than 1 bytes per second"


async def test_a_client_that_has_to_wait_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_places, "GRACE_S", 0.0)
    monkeypatch.setattr(upload_places, "PATIENCE_S", 0.0)
    places = UploadPlaces(settings(max_uploads=1))
    async with places.place(deadline_s=3600) as body:
        body.received(10_000)
        with body.paused():
            assert body.timeout.when() == pytest.approx(asyncio.get_running_loop().time() + 3600, abs=60)
            with pytest.raises(Refused) as refused:
                async with places.place():
                    pytest.fail("it took the place of a client that has to wait")
            assert refused.value.code is Code.OVERLOADED
        assert body.timeout.when() == pytest.approx(asyncio.get_running_loop().time() + 1, abs=1)


async def test_a_place_is_free_again_however_its_upload_ended(no_patience: None) -> None:
    places = UploadPlaces(settings(max_uploads=1))
    with pytest.raises(ValueError, match="broken"):
        async with places.place():
            raise ValueError("broken")
    async with places.place():
        pass
    async with places.place():
        pass


async def test_two_newcomers_at_once_end_two_uploads(no_patience: None) -> None:
    app = create_app(FakeService(), settings(max_uploads=2, upload_deadline_s=3600))
    slow, newcomers = ([RawRequest(app, "/predict", IMAGE) for _ in range(2)] for _ in range(2))
    for request in slow:
        await request.feed(b"x")
    for request in newcomers:
        await request.feed(b"x" * 50_000)
    assert [(await request.reply())[0] for request in slow] == [504, 504]
    for request in newcomers:
        await request.feed(b"", more=False)
        assert (await request.reply())[0] == 200

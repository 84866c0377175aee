"""Limits of photos per second, for each key or address; in this process, and shared through a server that stands in for Valkey."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from fakeredis import TcpFakeServer
from httpx import AsyncClient
from starlette.requests import Request

from serve_app.http import fairness
from serve_app.http.app import create_app
from serve_app.http.fairness import Buckets, LocalBuckets, SharedBuckets, address_of
from serve_app.http.keys import digest
from tests.support.clock import Clock
from tests.support.http import FakeService, client_of, settings

IMAGE = {"content-type": "image/jpeg"}
A_DAY = 1 / 86_400  # photos per second: none is gained while a test runs


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The URL of a server."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="valkey")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"valkey://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()


async def statuses(client: AsyncClient, count: int, **headers: str) -> list[int]:
    return [(await client.post("/predict", content=b"photo", headers=IMAGE | headers)).status_code for _ in range(count)]


@asynccontextmanager
async def shared(url: str, burst: int) -> AsyncIterator[SharedBuckets]:
    buckets = SharedBuckets(url, A_DAY, burst)
    yield buckets
    await buckets._client.aclose()


@pytest.fixture(params=["local", "shared"])
async def buckets(request: pytest.FixtureRequest, valkey: str) -> AsyncIterator[Buckets]:
    if request.param == "local":
        yield LocalBuckets(A_DAY, 3)
    else:
        async with shared(valkey, 3) as buckets:
            yield buckets


async def test_a_bucket_is_emptied_and_others_are_not(buckets: Buckets, request: pytest.FixtureRequest) -> None:
    one, other = request.node.name, f"{request.node.name} other"
    assert [await buckets.take(one, 1) for _ in range(3)] == [0.0] * 3
    assert await buckets.take(one, 1) == pytest.approx(86_400, abs=60)
    assert await buckets.take(one, 3) == pytest.approx(3 * 86_400, abs=60)
    assert await buckets.take(other, 2) == 0.0
    assert await buckets.take(other, 2) > 0  # all or none
    assert await buckets.take(other, 1) == 0.0


async def test_a_bucket_fills_up_again() -> None:
    clock = Clock()
    buckets = LocalBuckets(2, 4, clock)
    assert await buckets.take("a", 4) == 0.0
    assert await buckets.take("a", 3) == 1.5
    clock.now += 1.5
    assert await buckets.take("a", 3) == 0.0
    assert await buckets.take("a", 1) == 0.5
    clock.now += 100
    assert await buckets.take("a", 5) > 0  # never more than a full one
    assert await buckets.take("a", 4) == 0.0


async def test_the_memory_for_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "MOST_CLIENTS", 2)
    buckets = LocalBuckets(A_DAY, 1)
    assert [await buckets.take(client, 1) for client in "abc"] == [0.0] * 3
    assert await buckets.take("c", 1) > 0
    assert await buckets.take("a", 1) == 0.0  # the oldest was forgotten


async def test_two_replicas_count_together(valkey: str) -> None:
    async with shared(valkey, 2) as one, shared(valkey, 2) as other:
        assert [await one.take("both", 1), await other.take("both", 1)] == [0.0, 0.0]
        assert await one.take("both", 1) > 0
        assert await other.take("both", 1) > 0


async def test_without_its_server_a_replica_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    async with shared("valkey://127.0.0.1:1/0", 1) as buckets:
        assert await buckets.take("a", 1) == 0.0
        assert await buckets.take("a", 1) > 0
    assert caplog.text.count("does not answer") == 1  # it is not asked for every photo


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def test_too_many_photos_are_refused_and_told_when_to_try_again() -> None:
    async with client_of(create_app(FakeService(), settings(rate_limit_photos_per_s=A_DAY, rate_limit_burst=10))) as client:
        assert await statuses(client, 12) == [200] * 10 + [429] * 2
        refused = await client.post("/predict", content=b"photo", headers=IMAGE)
        assert refused.json()["code"] == "too_many_requests"
        assert int(refused.headers["retry-after"]) == pytest.approx(86_400, abs=60)
        assert (await client.get("/health")).status_code == 200


async def test_a_batch_counts_its_photos() -> None:
    async with client_of(create_app(FakeService(), settings(rate_limit_photos_per_s=A_DAY, rate_limit_burst=10))) as client:
        batch = [("files", (name, b"photo")) for name in "abcdef"]
        assert [(await client.post("/predict-batch", files=batch)).status_code for _ in range(2)] == [200, 429]


async def test_each_key_has_its_own_limit() -> None:
    keys = ",".join(f"{name}:{digest(name)}" for name in ("one", "two"))
    limits = settings(rate_limit_photos_per_s=A_DAY, rate_limit_burst=10, api_keys=keys)
    async with client_of(create_app(FakeService(), limits)) as client:
        assert await statuses(client, 11, **{"x-api-key": "one"}) == [200] * 10 + [429]
        assert await statuses(client, 1, **{"x-api-key": "two"}) == [200]


async def test_each_address_has_its_own_limit() -> None:
    limits = settings(rate_limit_photos_per_s=A_DAY, rate_limit_burst=10)
    async with client_of(create_app(FakeService(), limits, proxies=1)) as client:
        assert await statuses(client, 11, **{"x-forwarded-for": "198.51.100.1"}) == [200] * 10 + [429]
        assert await statuses(client, 1, **{"x-forwarded-for": "198.51.100.2"}) == [200]
        assert await statuses(client, 1, **{"x-forwarded-for": "192.0.2.9, 198.51.100.1"}) == [429]  # the client itself wrote the first


async def test_by_default_there_is_no_limit() -> None:
    async with client_of(create_app(FakeService(), settings())) as client:
        assert set(await statuses(client, 30)) == {200}


def test_a_full_batch_must_fit() -> None:
    with pytest.raises(ValueError, match="RATE_LIMIT_BURST must be at least MAX_BATCH_FILES"):
        settings(rate_limit_burst=9)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ([], 0, "192.0.2.1"),
        (["198.51.100.7"], 0, "192.0.2.1"),
        (["198.51.100.7"], 1, "198.51.100.7"),
        (["203.0.113.5, 198.51.100.7"], 1, "198.51.100.7"),
        (["203.0.113.5", "198.51.100.7"], 2, "203.0.113.5"),  # in two headers
        (["198.51.100.7"], 3, "198.51.100.7"),  # fewer than there should be
        ([], 1, "192.0.2.1"),
        (["2001:db8:1:2:3:4:5:6"], 1, "2001:db8:1:2::/64"),
        (["::ffff:198.51.100.7"], 1, "198.51.100.7"),
        (["photo.jpg"], 1, "unknown"),
    ],
)
def test_the_address_of_a_client(forwarded: list[str], proxies: int, address: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    assert address_of(Request({"type": "http", "client": ("192.0.2.1", 1), "headers": headers}), proxies) == address

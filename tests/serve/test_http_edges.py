"""Over real sockets: what is refused is counted, slow uploads block nobody, and the door's answers have our body."""

import asyncio
import re
import socket
from collections import Counter

import httpx

from serve_app.codes import Code
from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.serve.test_metrics import exported
from tests.serve.test_overload import HEAD, address
from tests.support import photos
from tests.support.service import RunningService

IMAGE = {"content-type": "image/jpeg"}
WAIT_S = 60  # Ray exports every ten seconds
AT_ONCE = 3 * Settings.model_fields["max_photos_in_flight"].default
REFUSALS = 100


async def counted(service: RunningService, code: Code) -> float:
    """`gender_answers` of a code."""
    found = re.findall(rf'^ray_gender_answers_total\{{[^}}]*code="{code}"[^}}]*\}} (\S+)', await exported(service), re.MULTILINE)
    return sum(map(float, found))


async def test_280_slow_uploads_do_not_block_a_photo(service: RunningService, client: httpx.AsyncClient) -> None:
    await until_healthy(client)
    slow = [socket.create_connection(address(service.url)) for _ in range(280)]
    try:
        for each in slow:
            each.sendall(f"{HEAD}Content-Length: 100\n\n".replace("PATH", "").replace("\n", "\r\n").encode() + b"x")
        async with asyncio.timeout(10):  # they would hold their requests for thirty seconds
            while (answer := await client.post("/predict", content=photos.cat(), headers=IMAGE)).status_code == 503:
                pass  # the slow ones came just now, and have a second
        assert answer.json()["code"] == "no_person"
    finally:
        for each in slow:
            each.close()


async def test_refusals_are_in_the_metric_that_the_alert_reads(service: RunningService, client: httpx.AsyncClient) -> None:
    await until_healthy(client)
    before = await counted(service, Code.OVERLOADED)
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=httpx.Limits(max_connections=None)) as many:
        while sum(answer.status_code == 503 for answer in answers) < REFUSALS:
            answers += await asyncio.gather(*(many.post("/predict", content=photos.cat(), headers=IMAGE) for _ in range(AT_ONCE)))
    refused = Counter(answer.json()["code"] for answer in answers)[Code.OVERLOADED]
    async with asyncio.timeout(WAIT_S):
        while await counted(service, Code.OVERLOADED) < before + refused:
            pass  # each poll is a request
    lines = {line["photo_request_id"] for line in service.log_lines() if line.get("code") == Code.OVERLOADED}
    assert {answer.headers["x-request-id"] for answer in answers if answer.status_code == 503} <= lines


async def test_control_headers_do_nothing(client: httpx.AsyncClient) -> None:
    for name, value in ((b"x-request-timeout-seconds", b"0.001"), (b"serve_multiplexed_model_id", b"x"), (b"x-session-id", b"\xff")):
        answer = await client.post("/predict", content=photos.cat(), headers={b"content-type": b"image/jpeg", name: value})
        assert answer.json()["code"] == "no_person", (name, answer.text)


async def test_head_slashes_and_the_cookies_of_other_programs(client: httpx.AsyncClient) -> None:
    assert [(await client.head(path)).status_code for path in ("/", "/health", "/live")] == [200] * 3
    assert (await client.post("/predict/", content=photos.cat(), headers=IMAGE)).json()["code"] == "no_person"
    answer = await client.get("/health", headers={"cookie": "; ".join(f"program{number}={'x' * 1000}" for number in range(25))})
    assert answer.json()["status"] == "healthy"

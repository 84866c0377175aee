"""A replica whose model hangs is told by /health and replaced, though its event loop goes on answering."""

import asyncio
import io
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from PIL import Image
from ray import serve

from benchmarks.simulated import QUICK, SimulatedDetector, WaitingDetector, build, small_photo
from serve_app.settings import Settings
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from tests.serve.conftest import until_healthy


class HangingModel(WaitingDetector):
    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        if any(not photo.any() for photo in photos):  # a black one
            threading.Event().wait()
        return super().detect(photos)


class HangingDetector(SimulatedDetector):
    def _load(self, config: dict[str, Any]) -> Any:
        return HangingModel(self._pace)

    async def process(self) -> int:
        return os.getpid()


def black_photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "JPEG")
    return buffer.getvalue()


async def test_of_two_detectors_the_hung_one_is_told_and_replaced(deploy: Callable[..., str]) -> None:
    settings = Settings(_env_file=None, request_deadline_s=10, hang_after_s=9)
    options = {"PersonDetector": {"num_replicas": 2, "health_check_period_s": 1, "graceful_shutdown_timeout_s": 1}}
    url = deploy(build(settings, options, detector=QUICK, detector_class=HangingDetector), "hung")
    handle = serve.get_deployment_handle("PersonDetector", "hung")

    async def processes() -> set[int]:
        return set(await handle.broadcast("process").results_async())

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_healthy(client)
        before = await processes()
        assert len(before) == 2
        hangs = asyncio.ensure_future(client.post("/predict", content=black_photo(), headers={"content-type": "image/jpeg"}))
        while "has worked on one thing" not in (await until_healthy(client))["faults"].get("detector", ""):
            pass
        assert (await hangs).json()["code"] == "timeout"
        while len(now := await processes()) < 2 or now == before:
            await until_healthy(client)
        while (await until_healthy(client))["faults"]:
            pass
        answer = await client.post("/predict", content=small_photo(), headers={"content-type": "image/jpeg"})
        assert answer.json()["code"] in ("ok", "unsure")

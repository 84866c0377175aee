"""Models that nobody asks have no replica: health leaves them asleep, and a photo wakes them."""

import asyncio
from collections.abc import Callable

import httpx

from benchmarks.local_cluster import replica_count
from benchmarks.simulated import QUICK, build, small_photo
from serve_app.settings import Settings

TO_ZERO = {
    "min_replicas": 0,
    "max_replicas": 1,
    "target_ongoing_requests": 2,
    "metrics_interval_s": 0.2,
    "look_back_period_s": 1,
    "upscale_delay_s": 0,
    "downscale_delay_s": 1,
    "downscale_to_zero_delay_s": 1,
}
MODELS = ("PersonDetector", "GenderClassifier")
HEALTH_CHECKS = 20
APP = "sleeping"


async def replicas() -> list[int]:
    """Of each model, those that run and those that start."""
    return [sum(vars(await asyncio.to_thread(replica_count, APP, name)).values()) for name in MODELS]


async def test_health_lets_models_sleep_and_a_photo_wakes_them(deploy: Callable[..., str]) -> None:
    options = {name: {"autoscaling_config": TO_ZERO} for name in MODELS}
    url = deploy(build(Settings(_env_file=None), options, detector=QUICK), APP)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for _ in range(HEALTH_CHECKS):
            response = await client.get("/health")
            assert (response.status_code, response.json()["status"]) == (503, "unavailable")
            assert await replicas() == [0, 0]
        codes = []
        while "ok" not in codes:
            response = await client.post("/predict", content=small_photo(), headers={"content-type": "image/jpeg"})
            codes.append(response.json()["code"])
            assert response.status_code == 200 or (response.status_code, "retry-after" in response.headers) == (503, True)
        assert set(codes) <= {"overloaded", "ok"}
        assert (await client.get("/health")).status_code == 200
        while await replicas() != [0, 0]:
            await client.get("/health")  # asked all the time, they go to sleep again

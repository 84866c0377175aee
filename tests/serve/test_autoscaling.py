"""Replicas scale up and down with the load over HTTP, and no photo is lost."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ray.serve.config import AutoscalingConfig

from benchmarks.local_cluster import replica_count
from benchmarks.simulated import Pace, build, small_photo
from benchmarks.traffic import Traffic
from serve_app.settings import Settings

CONFIG = Path(__file__).parents[2] / "serve_config.yaml"
DEPLOYMENTS = {each["name"]: each for each in yaml.safe_load(CONFIG.read_text())["applications"][0]["deployments"]}

PACE = Pace(batch_s=0.3, photo_s=0.0, max_batch_size=4)
QUICK = {
    "min_replicas": 1,
    "max_replicas": 3,
    "target_ongoing_requests": 3,
    "metrics_interval_s": 0.5,
    "look_back_period_s": 2,
    "upscale_delay_s": 0,
    "downscale_delay_s": 1,
}
CLIENTS = 4 * PACE.max_batch_size


async def test_replicas_grow_under_load_and_shrink_after_it_and_every_photo_is_answered(deploy: Callable[..., str]) -> None:
    settings = Settings(_env_file=None, request_deadline_s=60)
    url = deploy(build(settings, {"PersonDetector": {"autoscaling_config": QUICK}}, detector=PACE), "autoscaled")
    async with Traffic(url, small_photo()) as traffic:

        async def until_running(count: int) -> None:
            while (await asyncio.to_thread(replica_count, "autoscaled", "PersonDetector")).running != count:
                await traffic.ask()  # one client keeps asking, even while replicas stop

        await until_running(1)
        load_is_over = asyncio.Event()
        load = asyncio.create_task(traffic.keep_asking(CLIENTS, load_is_over.is_set))
        await until_running(3)
        load_is_over.set()
        await load
        await until_running(1)
    # 503 only at first, before the models' pace is known, and always with Retry-After.
    assert {reply.status for reply in traffic.replies} <= {200, 503}
    assert all(reply.retry_after for reply in traffic.replies if reply.status == 503)
    answered = Counter(reply.status for reply in traffic.replies)
    assert answered[200] > answered[503]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_setting_of_the_config_keeps_replicas_from_coming_or_makes_them_flap(name: str) -> None:
    config = AutoscalingConfig(**DEPLOYMENTS[name]["autoscaling_config"])
    assert config.target_ongoing_requests is not None
    assert config.min_replicas < config.max_replicas
    assert config.target_ongoing_requests < DEPLOYMENTS[name]["max_ongoing_requests"]  # Serve: "autoscaling will never happen"
    assert config.look_back_period_s > config.metrics_interval_s  # otherwise a window may contain no report
    assert config.downscale_delay_s >= config.look_back_period_s  # past load must leave the average before a replica stops
    if name != "Ingress":  # which also counts uploads
        # Wanted replicas = ongoing requests / target, and requests beyond what one ingress replica admits are refused, so not counted.
        assert config.target_ongoing_requests * (config.max_replicas - 1) < Settings(_env_file=None).max_photos_in_flight

"""N replicas run N batches at the same time: nothing in front of the models serialises them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import ray
from ray.actor import ActorHandle

from benchmarks.simulated import Pace, SimulatedDetector, WaitingDetector, build, small_photo
from benchmarks.traffic import Traffic
from serve_app.settings import Settings
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson

REPLICAS = 2
MEETING = "meeting"
AT_ONCE = Pace(batch_s=0.0, photo_s=0.0, max_batch_size=1)


@ray.remote(num_cpus=0)
class Meeting:
    """A barrier: models continue once this many of them are in a batch at the same time."""

    def __init__(self, models: int) -> None:
        self._barrier = asyncio.Barrier(models)

    async def attend(self) -> None:
        await self._barrier.wait()


class MeetingModel(WaitingDetector):
    def __init__(self, pace: Pace, meeting: ActorHandle[Any]) -> None:
        super().__init__(pace)
        self._meeting = meeting

    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        ray.get(self._meeting.attend.remote())
        return super().detect(photos)


class MeetingDetector(SimulatedDetector):
    def _load(self, config: dict[str, Any]) -> Any:
        return MeetingModel(self._pace, ray.get_actor(MEETING, namespace=MEETING))

    async def _warm(self, detector: Any) -> None:
        pass  # replicas start one by one, and do not wait for each other to warm up


@pytest.fixture
def meeting(cluster: str) -> Iterator[None]:
    actor = Meeting.options(name=MEETING, namespace=MEETING).remote(REPLICAS)  # type: ignore[attr-defined] # added by ray.remote
    yield
    ray.kill(actor)


@pytest.mark.usefixtures("meeting")
async def test_as_many_batches_as_replicas_are_in_their_models_at_once(deploy: Callable[..., str]) -> None:
    options = {"PersonDetector": {"num_replicas": REPLICAS, "max_ongoing_requests": 1}}
    app = build(Settings(_env_file=None, request_deadline_s=30), options, detector=AT_ONCE, detector_class=MeetingDetector)
    url = deploy(app, "meeting")
    async with Traffic(url, small_photo()) as traffic:
        # Each request waits in its model until all are there; one at a time, none would ever be answered.
        replies = await asyncio.gather(*(traffic.ask() for _ in range(2 * REPLICAS)))
    assert [reply.code for reply in replies] == ["ok"] * len(replies)

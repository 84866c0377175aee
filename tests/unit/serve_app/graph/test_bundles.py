"""Photos that wait for the same replicas share a call: when, with whom, and what happens to one when another fails."""

import asyncio
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from serve_app.codes import Code
from serve_app.graph import bundles
from serve_app.graph.bundles import MOST_BYTES, MOST_CALLS, MOST_PHOTOS, BundledReplicas
from serve_app.graph.messages import Detection
from serve_app.graph.ray_internals import GRPC_MAX_BYTES
from serve_app.graph.replicas import ReplicaDiedError
from serve_app.question import ORIGINAL, Question
from serve_app.vision.cropping import CropSpec
from tests.support.handles import Handle, Method

SPEC = CropSpec(0.0, 1.0, 32)
JPEG = b"\xff\xd8\xff"


def answer_to(image: bytes) -> Detection:
    return Detection(Code.NO_PERSON, [], [], name_of(image))


def name_of(image: bytes) -> str:
    return image.removeprefix(JPEG).strip().decode()


class Models(Handle):
    """The handle of colocated models: each photo is answered with its name, unless the test says otherwise."""

    def __init__(self, *alone: Any, shared: Any = None) -> None:
        self.detect = Method(*(alone or [lambda image, *_: answer_to(image)]))
        self.detect_all = Method(shared or (lambda photos: [answer_to(image) for image, *_ in photos]))
        self.describe = Method("here")


class Asking:
    """Photos on their way."""

    def __init__(self, models: Models) -> None:
        self._replicas = BundledReplicas(models)  # type: ignore[arg-type] # a fake
        self.calls: list[asyncio.Task[Detection]] = []

    async def ask(self, *names: str, question: Question = ORIGINAL, size: int = 0, form: bytes = JPEG) -> None:
        for name in names:
            image = (form + name.encode()).ljust(size)
            self.calls.append(asyncio.create_task(self._replicas.call("detect", image, SPEC, question)))
        await asyncio.sleep(0)

    async def answers(self) -> list[str]:
        return [detection.model for detection in await asyncio.gather(*self.calls)]


async def busy(models: Models) -> tuple[Asking, asyncio.Event]:
    """Replicas with as many calls as may be under way; they end with the event."""
    release = asyncio.Event()
    models.detect.outcomes[:0] = [release] * MOST_CALLS
    asking = Asking(models)
    await asking.ask(*(f"first {number}" for number in range(MOST_CALLS)))
    assert len(models.detect.calls) == MOST_CALLS
    asking.calls.clear()
    return asking, release


async def test_as_long_as_few_photos_come_each_has_a_call_at_once() -> None:
    models = Models()
    asking = Asking(models)
    for name in "abcdefgh":
        await asking.ask(name)
        assert await asking.answers() == [name]
        asking.calls.clear()
    assert (len(models.detect.calls), models.detect_all.calls) == (8, [])


async def test_photos_that_come_meanwhile_share_the_next_calls_in_their_order() -> None:
    models = Models()
    asking, release = await busy(models)
    names = [f"{number}" for number in range(2 * MOST_CALLS)]
    await asking.ask(*names)
    assert models.detect_all.calls == []
    release.set()
    assert await asking.answers() == names
    sent = [[name_of(image) for image, *_ in photos] for (photos,) in models.detect_all.calls]
    assert [name for photos in sent for name in photos] == names
    assert len(sent) <= MOST_CALLS


async def test_a_call_has_no_more_photos_than_one_can_wait_for_and_a_message_can_hold() -> None:
    assert MOST_PHOTOS * MOST_BYTES <= GRPC_MAX_BYTES
    models = Models()
    asking, release = await busy(models)
    names = [f"{number}" for number in range(MOST_CALLS * MOST_PHOTOS * 2)]
    await asking.ask(*names)
    release.set()
    assert await asking.answers() == names
    assert max(len(photos) for (photos,) in models.detect_all.calls) == MOST_PHOTOS


@pytest.mark.parametrize(
    "longer",
    [{"question": Question(explain=True)}, {"question": Question(most_people=3)}, {"size": MOST_BYTES + 1}, {"form": b""}],
    ids=["explain", "several people", "large", "no JPEG"],
)
async def test_what_may_take_longer_is_asked_alone_and_at_once(longer: dict[str, Any]) -> None:
    models = Models()
    asking, _ = await busy(models)
    await asking.ask("long", **longer)
    assert await asking.answers() == ["long"]
    assert models.detect_all.calls == []


async def test_a_call_that_takes_long_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "PATIENCE_S", 0.01)
    asking, _ = await busy(Models())
    await asking.ask("a", "b")
    assert await asking.answers() == ["a", "b"]  # the calls before them have not ended


async def test_one_that_fails_is_asked_alone_and_harms_nobody() -> None:
    models = Models(
        lambda image, *_: ValueError("no model") if name_of(image) == "bad" else answer_to(image),
        shared=lambda photos: [None if name_of(image) == "bad" else answer_to(image) for image, *_ in photos],
    )
    asking, release = await busy(models)
    await asking.ask(*(["good"] * 8), "bad")
    release.set()
    results = await asyncio.gather(*asking.calls, return_exceptions=True)
    assert [result.model for result in results[:-1] if isinstance(result, Detection)] == ["good"] * 8
    assert isinstance(results[-1], ValueError)


async def test_a_death_is_told_to_all_of_a_call_so_that_each_can_be_repeated() -> None:
    models = Models(shared=lambda _: ActorDiedError())
    asking, release = await busy(models)
    await asking.ask("a", "b", "c")
    release.set()
    results = await asyncio.gather(*asking.calls, return_exceptions=True)
    assert [type(result) for result in results] == [ReplicaDiedError] * 3


async def test_who_gives_up_while_waiting_is_not_asked_about() -> None:
    models = Models()
    asking, release = await busy(models)
    await asking.ask("a", "gone", "b")
    asking.calls.pop(1).cancel()
    await asyncio.sleep(0)
    release.set()
    assert await asking.answers() == ["a", "b"]
    assert "gone" not in {name_of(image) for (photos,) in models.detect_all.calls for image, *_ in photos}


async def test_a_call_is_cancelled_when_nobody_of_it_waits_any_more() -> None:
    models = Models(shared=lambda _: asyncio.Event())
    asking, release = await busy(models)
    await asking.ask("a", "b")
    release.set()
    await models.detect_all.has_calls(1)
    (shared,) = models.detect_all.pending
    for is_last, call in enumerate(asking.calls):
        call.cancel()
        await asyncio.wait([call])
        for _ in range(5):  # turns of the loop: from the answer to its call, and from there to the replica
            await asyncio.sleep(0)
        assert shared.cancelled == bool(is_last)

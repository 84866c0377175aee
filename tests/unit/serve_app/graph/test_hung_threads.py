"""A replica whose threads hang says so to Serve, which replaces it, and to /health. The deployments are real, their models hang."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.graph.colocated import ColocatedModels
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.person_detector import PersonDetector
from serve_app.graph.watch import HungError
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from tests.support.images import encode, picture

SETTINGS = Settings(_env_file=None, hang_after_s=0.001)
PATIENT = Settings(_env_file=None)
PHOTO = encode(picture(), "JPEG")
SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)


class Gate:
    """Threads that pass it wait until it opens; at first it is open."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.reached = threading.Event()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def __call__(self) -> None:
        if not self._open.is_set():
            self.reached.set()
            assert self._open.wait(60)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()  # or the thread would keep the process


class Detector:
    """Finds nobody; `in_model` and `in_decoder` are passed in the threads of those names."""

    checkpoint = Checkpoint("fake", Path(), "fake", "1")
    decision = DetectorDecision()

    def __init__(self, in_model: Gate, in_decoder: Gate) -> None:
        self._in_model, self._in_decoder = in_model, in_decoder

    def prepare(self, photo: RGB) -> RGB:
        self._in_decoder()
        return photo

    def warm_up(self, photos: Sequence[RGB]) -> None:
        self._in_model()

    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        self._in_model()
        return [[] for _ in photos]


class Classifier:
    checkpoint = Checkpoint("fake", Path(), "fake", "1")
    decision = ClassifierDecision()
    crop_spec = SPEC

    def __init__(self, in_model: Gate) -> None:
        self._in_model = in_model

    def blank_crop(self) -> RGB:
        return np.zeros(SPEC.shape, np.uint8)

    def warm_up(self, crops: Sequence[RGB]) -> None:
        self._in_model()

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self._in_model()
        return [{"female": 0.5, "male": 0.5} for _ in crops]


async def detector_with(model: Any, settings: Settings = SETTINGS) -> PersonDetector:
    class Replica(PersonDetector):
        def _load(self, config: dict[str, Any]) -> Any:
            return model

    replica = Replica(settings, 1, 1, 2)
    await replica.reconfigure({})
    return replica


async def classifier_with(model: Any, settings: Settings = SETTINGS) -> GenderClassifier:
    class Replica(GenderClassifier):
        def _load(self, config: dict[str, Any]) -> Any:
            return model

    replica = Replica(settings, 1, 1)
    await replica.reconfigure({})
    return replica


async def until_unhealthy(replica: PersonDetector | GenderClassifier | ColocatedModels) -> str:
    while True:
        try:
            await replica.check_health()
        except HungError as error:
            return str(error)
        await asyncio.sleep(0)


@pytest.mark.parametrize(("where", "what"), [("model", "a batch"), ("decoder", "decoding a photo")])
async def test_a_detector_with_a_hung_thread_is_unhealthy_until_it_goes_on(gate: Gate, where: str, what: str) -> None:
    gates = {"model": Gate(), "decoder": Gate()} | {where: gate}
    replica = await detector_with(Detector(gates["model"], gates["decoder"]))
    await replica.check_health()
    gate.close()
    photo = asyncio.ensure_future(replica.detect(PHOTO, SPEC))
    assert await asyncio.to_thread(gate.reached.wait, 30)
    assert what in await until_unhealthy(replica)
    assert (await replica.describe()).working_s > SETTINGS.hang_after_s
    gate.open()
    await photo
    await replica.check_health()
    assert (await replica.describe()).working_s == 0


async def test_a_classifier_with_a_hung_model_is_unhealthy_until_it_goes_on(gate: Gate) -> None:
    model: Any = Classifier(gate)
    replica = await classifier_with(model)
    await replica.check_health()
    gate.close()
    crop = asyncio.ensure_future(replica._worker.submit((model, model.blank_crop())))  # `@serve.batch` needs a replica of Serve's
    assert await asyncio.to_thread(gate.reached.wait, 30)
    assert "a batch" in await until_unhealthy(replica)
    assert (await replica.describe()).working_s > SETTINGS.hang_after_s
    gate.open()
    await crop
    await replica.check_health()


async def test_both_models_in_one_process_are_unhealthy_while_a_photo_hangs(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PersonDetector, "_load", lambda self, config: Detector(gate, Gate()))
    monkeypatch.setattr(GenderClassifier, "_load", lambda self, config: Classifier(Gate()))
    sizes = {"max_batch_size": 1, "threads": 1}
    replica = ColocatedModels(SETTINGS, sizes | {"decode_threads": 1}, sizes)
    await replica.reconfigure({})
    gate.close()
    photo = asyncio.ensure_future(replica.detect(PHOTO, SPEC))
    assert await asyncio.to_thread(gate.reached.wait, 30)
    assert "a batch" in await until_unhealthy(replica)
    assert (await replica.describe()).working_s > SETTINGS.hang_after_s
    gate.open()
    await photo
    await replica.check_health()


async def test_a_thread_that_works_is_no_hung_one(gate: Gate) -> None:
    replica = await detector_with(Detector(gate, Gate()), PATIENT)
    gate.close()
    photo = asyncio.ensure_future(replica.detect(PHOTO, SPEC))
    assert await asyncio.to_thread(gate.reached.wait, 30)
    await replica.check_health()
    gate.open()
    await photo

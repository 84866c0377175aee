"""Photos that run to completion: each is answered as the two models apart would answer, whatever the others of its batch are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.codes import Code
from serve_app.graph.colocated import ColocatedModels
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.messages import Detection
from serve_app.graph.person_detector import PersonDetector
from serve_app.graph.run_to_completion import Photo, RunToCompletion
from serve_app.question import ORIGINAL
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.decoding import DecodeLimits, decode
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from tests.support.images import encode

LIMITS = DecodeLimits.of(Settings(_env_file=None))
SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
PERSON = DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.9)
OTHER = DetectedPerson((0.1, 0.1, 0.4, 0.9), 0.8), DetectedPerson((0.6, 0.1, 0.9, 0.9), 0.8)


def photo_of(people: int, size: int = 64) -> bytes:
    """A photo of one grey, which is how the fake detector knows the number of people."""
    return encode(np.full((size, size, 3), 80 * people, np.uint8), "PNG")


class Detector:
    decision = DetectorDecision()

    def __init__(self, name: str = "detector") -> None:
        self.checkpoint = Checkpoint(name, Path(), name, "1")
        self.batches: list[int] = []

    def prepare(self, photo: RGB) -> RGB:
        return photo

    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        self.batches.append(len(photos))
        by_count: list[list[DetectedPerson]] = [[], [PERSON], list(OTHER)]
        return [by_count[photo[0, 0, 0] // 80] for photo in photos]


class Classifier:
    decision = ClassifierDecision(min_confidence=0.7)
    crop_spec = SPEC

    def __init__(self, name: str = "classifier", female: float = 0.9) -> None:
        self.checkpoint = Checkpoint(name, Path(), name, "1")
        self.female = female
        self.crops: list[RGB] = []

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self.crops += crops
        return [{"female": self.female, "male": 1 - self.female} for _ in crops]


class Warm:
    """What a deployment needs of a model besides."""

    def warm_up(self, items: Sequence[RGB]) -> None: ...


class WarmDetector(Detector, Warm): ...


class WarmClassifier(Classifier, Warm):
    def blank_crop(self) -> RGB:
        return np.zeros(SPEC.shape, np.uint8)


async def colocated(monkeypatch: pytest.MonkeyPatch, detector: Any) -> ColocatedModels:
    monkeypatch.setattr(PersonDetector, "_load", lambda self, config: detector)
    monkeypatch.setattr(GenderClassifier, "_load", lambda self, config: WarmClassifier())
    sizes = {"max_batch_size": 4, "threads": 2}
    models = ColocatedModels(Settings(_env_file=None), sizes | {"decode_threads": 1}, sizes)
    await models.reconfigure({})
    return models


async def test_colocated_models_answer_each_photo_of_a_call_and_large_ones_on_their_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    models = await colocated(monkeypatch, WarmDetector())
    photos = [photo_of(1), b"no image", photo_of(0, size=1500), photo_of(2)]
    answers = await models.detect_all([(photo, SPEC, ORIGINAL) for photo in photos])
    codes = [answer.code for answer in answers if answer]
    assert codes == [Code.OK, Code.NOT_AN_IMAGE, Code.NO_PERSON, Code.MULTIPLE_PEOPLE]
    assert answers[0] and answers[0].classifications


async def test_a_photo_that_a_model_fails_for_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(WarmDetector):
        def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
            if any(photo[0, 0, 0] == 160 for photo in photos):
                raise FloatingPointError("not finite")
            return super().detect(photos)

    models = await colocated(monkeypatch, Picky())
    first, second, third = await models.detect_all([(photo_of(people), SPEC, ORIGINAL) for people in (1, 2, 0)])
    assert second is None
    assert first and first.code is Code.OK
    assert third and third.code is Code.NO_PERSON
    with pytest.raises(FloatingPointError):
        await models.detect(photo_of(2), SPEC)


class Batches(list[int]):
    def __call__(self, size: int, seconds: float) -> None:
        assert seconds >= 0
        self.append(size)


def run(photos: Sequence[bytes], detector: Any = None, classifier: Any = None) -> tuple[list[Detection | None], Batches, Batches]:
    models: Any = (detector or Detector(), classifier or Classifier())
    detected, classified = Batches(), Batches()
    return RunToCompletion(LIMITS, detected, classified)([Photo(photo, models) for photo in photos]), detected, classified


def test_each_photo_of_a_batch_has_its_own_answer() -> None:
    photos = [photo_of(1), b"no image", photo_of(0), photo_of(2), photo_of(1)[:-40], photo_of(1)]
    answers, detected, classified = run(photos)
    codes = [answer.code for answer in answers if answer]
    assert codes == [Code.OK, Code.NOT_AN_IMAGE, Code.NO_PERSON, Code.MULTIPLE_PEOPLE, Code.CORRUPT_IMAGE, Code.OK]
    assert [len(answer.people) for answer in answers if answer] == [1, 0, 0, 2, 0, 1]
    assert [len(answer.classifications) for answer in answers if answer] == [1, 0, 0, 0, 0, 1]
    assert (detected, classified) == ([4], [2])


def test_what_the_classifier_says_comes_with_its_name_its_crop_and_the_time_of_each_stage() -> None:
    classifier = Classifier(female=0.6)
    (answer,), _, _ = run([photo_of(1)], classifier=classifier)
    assert answer
    assert (answer.code, answer.model, answer.crops) == (Code.OK, "detector@1", [])
    (classified,) = answer.classifications
    assert (classified.code, classified.model) == (Code.UNSURE, "classifier@1")
    assert classified.probabilities == {"female": 0.6, "male": pytest.approx(0.4)}
    assert np.array_equal(classifier.crops[0], crop_person(decode(photo_of(1), LIMITS), PERSON, SPEC))
    assert classified.brightness == pytest.approx(80 / 255)
    assert set(answer.stages | classified.stages) == {"decode", "detect", "crop", "classify"}
    assert all(seconds >= 0 for seconds in (answer.stages | classified.stages).values())


def test_a_large_photo_is_left_to_others_and_costs_the_small_ones_nothing() -> None:
    large = photo_of(1, size=1500)  # a PNG of 2.25 megapixels
    detector = Detector()
    (first, second), _, _ = run([large, photo_of(1)], detector)
    assert first is None
    assert second and second.code is Code.OK
    assert detector.batches == [1]


def test_nothing_is_asked_of_a_model_when_no_photo_needs_it() -> None:
    answers, detected, classified = run([b"no image", photo_of(1, size=1500)])
    assert [answer and answer.code for answer in answers] == [Code.NOT_AN_IMAGE, None]
    assert (detected, classified) == ([], [])


def test_during_an_exchange_each_photo_is_answered_by_the_models_it_came_for() -> None:
    before: Any = (Detector(), Classifier("before"))
    after: Any = (Detector("other"), Classifier("after"))
    photos = [Photo(photo_of(1), models) for models in (before, before, after)]
    answers = RunToCompletion(LIMITS, Batches(), Batches())(photos)
    named = [(answer.model, answer.classifications[0].model) for answer in answers if answer]
    assert named == [("detector@1", "before@1")] * 2 + [("other@1", "after@1")]

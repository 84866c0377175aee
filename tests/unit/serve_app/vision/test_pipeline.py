"""The whole pipeline in one process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image, ImageColor

from serve_app.checkpoints import resolve
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.codes import Code
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import crop_person
from serve_app.vision.decoding import DecodeLimits, decode
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedHead, DetectedPerson
from serve_app.vision.pipeline import Outcome, Pipeline
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier, write_tiny_detector
from tests.support.images import FORMATS, encode, picture

LIMITS = DecodeLimits(FORMATS, max_pixels=1_000_000)
LEFT, RIGHT = DetectedPerson((0.0, 0.0, 0.5, 1.0), 0.9), DetectedPerson((0.5, 0.0, 1.0, 1.0), 0.8)
SMALL = DetectedPerson((0.0, 0.0, 0.1, 0.1), 0.95)

PEOPLE_BY_COLOUR = {"red": [LEFT, SMALL], "blue": [RIGHT], "green": [LEFT, RIGHT], "black": [SMALL], "white": []}


class DetectsByColour:
    """A fake detector that finds people by the photo's colour."""

    decision = DetectorDecision()

    def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        colours = {ImageColor.getrgb(name): name for name in PEOPLE_BY_COLOUR}
        return [PEOPLE_BY_COLOUR[colours[tuple(photo[0, 0].tolist())]] for photo in photos]


class CountsCalls:
    """Wraps a classifier and records the number of crops of each call."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.decision = classifier.decision
        self.crop_spec = classifier.crop_spec
        self.calls: list[int] = []

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self.calls.append(len(crops))
        return self._classifier(crops)


def photo_of(colour: str) -> bytes:
    return encode(Image.new("RGB", (64, 48), colour), "PNG")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A tiny real one."""
    folder = tmp_path_factory.mktemp("classifier")
    return Classifier.load(resolve(str(write_tiny_classifier(folder)), folder), ON_TORCH)


@pytest.fixture
def counting(classifier: Classifier) -> CountsCalls:
    """The tiny classifier, with its calls counted."""
    return CountsCalls(classifier)


@pytest.fixture
def pipeline(counting: CountsCalls) -> Pipeline:
    """A pipeline with the fake detector."""
    return Pipeline(cast(Detector, DetectsByColour()), cast(Classifier, counting), LIMITS)


def test_outcomes_keep_the_order_of_the_photos(pipeline: Pipeline) -> None:
    too_large = encode(Image.new("1", (1001, 1000)), "PNG")
    images = [b"text", photo_of("green"), photo_of("red"), too_large, photo_of("white"), b"BMno", photo_of("blue"), photo_of("black")]
    assert [outcome.code for outcome in pipeline(images)] == [
        Code.NOT_AN_IMAGE,
        Code.MULTIPLE_PEOPLE,
        Code.OK,
        Code.IMAGE_TOO_LARGE,
        Code.NO_PERSON,
        Code.CORRUPT_IMAGE,
        Code.OK,
        Code.NO_PERSON,
    ]


def test_all_crops_are_classified_together(pipeline: Pipeline, counting: CountsCalls) -> None:
    pipeline([photo_of(colour) for colour in ("red", "white", "blue", "green", "red")])
    assert counting.calls == [3]


def test_only_a_single_person_gets_a_prediction(pipeline: Pipeline) -> None:
    for outcome in pipeline([photo_of(colour) for colour in PEOPLE_BY_COLOUR]):
        assert (outcome.prediction is None) is (outcome.code is not Code.OK)


def test_people_are_those_that_count(pipeline: Pipeline) -> None:
    red, green, black = pipeline([photo_of("red"), photo_of("green"), photo_of("black")])
    assert (red.people, green.people, black.people) == ([LEFT], [LEFT, RIGHT], [])


def test_the_answer_is_about_the_crop_of_the_person(pipeline: Pipeline, classifier: Classifier) -> None:
    data = photo_of("blue")
    [outcome] = pipeline([data])
    [expected] = classifier([crop_person(decode(data, LIMITS), RIGHT, classifier.crop_spec)])
    assert outcome.probabilities == pytest.approx(expected)
    assert outcome.prediction == max(expected, key=expected.__getitem__)


def test_a_classifier_of_two_views_sees_the_head_too(tmp_path: Path) -> None:
    classifier = Classifier.load(resolve(str(write_tiny_classifier(tmp_path, views=("head", "person"))), tmp_path), ON_TORCH)
    person = DetectedPerson((0.2, 0.2, 0.9, 0.9), 0.9, DetectedHead((0.4, 0.2, 0.6, 0.5), 0.9), heads_known=True)
    data = encode(picture(), "PNG")

    class Finds:
        decision = DetectorDecision()

        def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
            return [[person]]

    [outcome] = Pipeline(cast(Detector, Finds()), classifier, LIMITS)([data])
    [expected] = classifier([crop_person(decode(data, LIMITS), person, classifier.crop_spec)])
    [without] = classifier([crop_person(decode(data, LIMITS), replace(person, head=None), classifier.crop_spec)])
    assert outcome == Outcome(Code.OK, [person], expected)
    assert outcome.probabilities != pytest.approx(without, abs=1e-4)


def test_an_unsure_answer_has_probabilities_and_no_prediction(pipeline: Pipeline, counting: CountsCalls) -> None:
    images = [photo_of("red"), photo_of("green")]
    [sure, several] = pipeline(images)
    counting.decision = ClassifierDecision(min_confidence=1.0)
    [unsure, as_before] = pipeline(images)
    assert unsure == Outcome(Code.UNSURE, [LEFT], sure.probabilities)
    assert (unsure.prediction, unsure.confidence) == (None, 0.0)
    assert as_before == several


@pytest.mark.parametrize("images", [[], [b"text"], [b"", b"text"]])
def test_nothing_to_look_at(pipeline: Pipeline, images: list[bytes]) -> None:
    assert pipeline(images) == [Outcome(Code.NOT_AN_IMAGE, [])] * len(images)


def test_real_models_answer_alike_alone_and_together(classifier: Classifier, tmp_path: Path) -> None:
    anyone = {"score_threshold": 0.0, "min_area": 0.0, "min_height": 0.0, "max_overlap": 0.01}
    detector = Detector.load(resolve(str(write_tiny_detector(tmp_path)), tmp_path), ON_TORCH, anyone)
    pipeline = Pipeline(detector, classifier, LIMITS)
    turned = np.ascontiguousarray(np.asarray(picture(90, 60))[::-1])
    images = [encode(picture(90, 60), "PNG"), encode(picture(60, 90), "JPEG"), encode(turned, "WEBP"), encode(picture(200, 40), "BMP")]
    together = pipeline(images)
    assert Code.OK in {outcome.code for outcome in together}
    for image, outcome in zip(images, together, strict=True):
        [alone] = pipeline([image])
        assert (alone.code, len(alone.people)) == (outcome.code, len(outcome.people))
        assert (alone.probabilities or {}) == pytest.approx(outcome.probabilities or {}, abs=1e-3)

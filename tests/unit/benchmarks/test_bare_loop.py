"""The bare loop does what the pipeline does, and stays small."""

from pathlib import Path

import pytest

from benchmarks.answers import GivenAnswer, disagreements
from benchmarks.bare_loop import BareLoop
from serve_app.checkpoints import resolve
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.codes import Code
from serve_app.vision.classifier import Classifier
from serve_app.vision.decoding import DecodeLimits, decode
from serve_app.vision.detector import Detector
from serve_app.vision.people import people_that_count
from serve_app.vision.pipeline import Pipeline
from tests.support.checkpoints import ON_TORCH, DetectorKind, write_tiny_classifier, write_tiny_detector
from tests.support.images import FORMATS, encode, picture

ROOT = Path(__file__).parents[3]
LIMITS = DecodeLimits(FORMATS, max_pixels=1_000_000)
PHOTOS = [encode(picture(90, 60), "PNG"), encode(picture(60, 90), "JPEG")]


@pytest.mark.parametrize(
    ("kind", "labels", "min_confidence", "code"),
    [("detr", ("person", "dog"), 0.0, Code.OK), ("deimv2", ("dog", "person"), 1.0, Code.UNSURE)],
)
def test_it_answers_as_the_pipeline_does(
    kind: DetectorKind, labels: tuple[str, str], min_confidence: float, code: Code, tmp_path: Path
) -> None:
    detector = write_tiny_detector(tmp_path / "detector", kind, labels)
    classifier = write_tiny_classifier(tmp_path / "classifier", ["male", "female"])
    one_person_in_the_first(detector, tmp_path).write(detector)
    ClassifierDecision(crop_margin=0.1, crop_aspect=1.5, temperature=0.7, min_confidence=min_confidence).write(classifier)
    pipeline = Pipeline(
        Detector.load(resolve(str(detector), tmp_path), ON_TORCH), Classifier.load(resolve(str(classifier), tmp_path), ON_TORCH), LIMITS
    )
    expected = pipeline(PHOTOS)
    assert expected[0].code is code
    given = BareLoop(detector, classifier, LIMITS)(PHOTOS)
    assert disagreements([GivenAnswer.of_outcome(each) for each in given], [GivenAnswer.of_outcome(each) for each in expected]) == []


def one_person_in_the_first(folder: Path, cache: Path) -> DetectorDecision:
    """A decision whose threshold lies between the first photo's two best scores, because random weights find people anywhere."""
    anyone = {"score_threshold": 0.0, "min_area": 0.0, "min_height": 0.0, "max_overlap": 1.0}
    detector = Detector.load(resolve(str(folder), cache), ON_TORCH, anyone)
    [found] = detector([decode(PHOTOS[0], LIMITS)])
    best, second = sorted((person.score for person in people_that_count(found, detector.decision)), reverse=True)[:2]
    return DetectorDecision(**anyone | {"score_threshold": (best + second) / 2})


def test_it_is_at_most_80_lines() -> None:
    assert len((ROOT / "benchmarks" / "bare_loop.py").read_text().splitlines()) <= 80

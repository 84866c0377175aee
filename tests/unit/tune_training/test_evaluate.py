import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from serve_app.checkpoints import resolve
from serve_app.classifier import Classifier
from serve_app.codes import Code
from serve_app.decision import ClassifierDecision, DetectorDecision
from serve_app.gate import DetectedPerson
from serve_app.pipeline import Outcome, Pipeline
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.drawn_photos import FigureFinder, columns, draw, save, write_people, write_portraits
from tune_training.classification_data import LabelledPerson, read_index
from tune_training.detection_data import LabelledPhoto, read_coco
from tune_training.errors import InputError
from tune_training.evaluate import (
    answer_metrics,
    choose_classifier_decision,
    choose_detector_decision,
    count_metrics,
    decode_limits,
    detections,
    expected_calibration_error,
    fit_temperature,
    outcomes,
    true_count,
    write_metrics,
)

LEFT, MIDDLE, RIGHT = (0.0, 0.1, 0.3, 0.9), (0.35, 0.1, 0.65, 0.9), (0.7, 0.1, 1.0, 0.9)
TINY = (0.5, 0.5, 0.55, 0.6)


def photo(*boxes: tuple[float, ...], source: str = "a") -> LabelledPhoto:
    return LabelledPhoto(Path(), np.array(boxes, dtype=np.float32).reshape(-1, 4), source)


def found(*people: tuple[tuple[float, float, float, float], float]) -> list[DetectedPerson]:
    return [DetectedPerson(box, score) for box, score in people]


def answered(female: float) -> Outcome:
    return Outcome(Code.OK, [], {"female": female, "male": 1 - female})


def refused(code: Code = Code.NO_PERSON) -> Outcome:
    return Outcome(code, [])


def person(label: str, source: str = "a") -> LabelledPerson:
    return LabelledPerson(Path(), label, source)


# --- counting -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([], 0),
        ([TINY], 0),
        ([(0.0, 0.0, 1.0, 0.19)], 0),
        ([(0.0, 0.0, 0.06, 0.8)], 0),
        ([LEFT], 1),
        ([LEFT, TINY], 1),
        ([LEFT, RIGHT], 2),
        ([LEFT, MIDDLE, RIGHT], 2),
    ],
    ids=["nobody", "small", "low", "thin", "one", "one-and-small", "two", "three"],
)
def test_the_true_count_follows_the_size_rule(boxes: list[tuple[float, ...]], count: int) -> None:
    assert true_count(photo(*boxes), DetectorDecision()) == count


def test_counts_are_judged_over_all_by_count_and_by_source() -> None:
    photos = [photo(), photo(TINY), photo(LEFT), photo(LEFT, source="b"), photo(LEFT, RIGHT, source="b"), photo(LEFT, MIDDLE, RIGHT)]
    detected = [
        found(),  # right: 0
        found((LEFT, 0.9)),  # wrong: 1 for 0
        found((LEFT, 0.9), (RIGHT, 0.5)),  # right: the second is below the threshold
        found(),  # wrong: 0 for 1
        found((LEFT, 0.9), (RIGHT, 0.8)),  # right
        found((LEFT, 0.9), (RIGHT, 0.8)),  # right: 2+ is one class
    ]
    assert count_metrics(photos, detected, DetectorDecision()) == {
        "photos": 6,
        "accuracy": pytest.approx(4 / 6),
        "accuracy_by_count": {"0": 0.5, "1": 0.5, "2+": 1.0},
        "accuracy_by_source": {"a": 0.75, "b": 0.5},
        "confusion_true_by_counted": {"0": [1, 1, 0], "1": [1, 1, 0], "2+": [0, 0, 2]},
    }


def test_a_count_that_does_not_occur_has_no_accuracy() -> None:
    metrics = count_metrics([photo(LEFT)], [found((LEFT, 0.9))], DetectorDecision())
    assert metrics["accuracy_by_count"] == {"1": 1.0}


def test_the_threshold_between_people_and_phantoms_is_chosen() -> None:
    photos = [photo(), photo(LEFT), photo(LEFT, RIGHT)] * 3
    phantom = (MIDDLE, 0.42)
    detected = [found(phantom), found((LEFT, 0.55), phantom), found((LEFT, 0.6), (RIGHT, 0.52), phantom)] * 3
    rule = choose_detector_decision(photos, detected, [])
    assert 0.42 <= rule.score_threshold < 0.52
    assert count_metrics(photos, detected, rule)["accuracy"] == 1.0
    assert (rule.min_area, rule.min_height) == (0.05, 0.20)


def test_the_overlap_that_tells_duplicates_from_neighbours_is_chosen() -> None:
    """Duplicates overlap by 0.74, two people who stand close by 0.54."""
    body, duplicate, neighbour = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.37, 1.0), (0.15, 0.0, 0.65, 1.0)
    photos = [photo(body), photo(body, neighbour), photo()]
    detected = [found((body, 0.9), (duplicate, 0.8)), found((body, 0.9), (neighbour, 0.8)), found()]
    rule = choose_detector_decision(photos, detected, [])
    assert rule.max_overlap in (0.6, 0.7)
    assert count_metrics(photos, detected, rule)["accuracy"] == 1.0


def test_portraits_pull_the_threshold_to_where_they_are_answered() -> None:
    photos, detected = [photo(), photo(LEFT)], [found(), found((LEFT, 0.75))]
    portraits = [found((LEFT, 0.3))] * 4
    assert choose_detector_decision(photos, detected, portraits).score_threshold < 0.3


def test_detections_are_those_of_the_photos_in_their_order(tmp_path: Path) -> None:
    photos = read_coco(write_people(tmp_path, ["val"], photos=18) / "val.json")
    people = detections(photos, FigureFinder().as_detector())
    assert [len(part) for part in people] == [0, 1, 2] * 6
    assert count_metrics(photos, people, DetectorDecision())["accuracy"] == 1.0


def test_a_broken_labelled_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(InputError, match=r"broken.jpg: corrupt_image"):
        detections([LabelledPhoto(tmp_path / "broken.jpg", np.zeros((0, 4), np.float32), "")], FigureFinder().as_detector())


# --- answers ------------------------------------------------------------------------------------------------------------------


def test_answers_are_judged_by_source() -> None:
    people = [person("female")] * 4 + [person("male")] * 2 + [person("male", "b")]
    results = [answered(0.9), answered(0.8), answered(0.4), refused(), answered(0.3), refused(Code.MULTIPLE_PEOPLE), answered(0.6)]
    metrics = answer_metrics(people, results)
    assert metrics["a"] == {
        "photos": 6,
        "answered": pytest.approx(4 / 6),
        "codes": {"multiple_people": 1, "no_person": 1, "ok": 4},
        "accuracy": 0.75,
        "balanced_accuracy": pytest.approx((2 / 3 + 1) / 2),
        "recall": {"female": pytest.approx(2 / 3), "male": 1.0},
        "roc_auc": 1.0,
        # Four bins of one answer each: 0.9 and 0.8 right, 0.6 wrong, 0.7 right.
        "expected_calibration_error": pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4),
    }
    assert (metrics["b"]["photos"], metrics["b"]["accuracy"], metrics["b"]["roc_auc"]) == (1, 0.0, None)


def test_a_source_without_answers_has_no_accuracy() -> None:
    metrics = answer_metrics([person("male")] * 2, [refused(), refused(Code.CORRUPT_IMAGE)])
    assert metrics == {"a": {"photos": 2, "answered": 0.0, "codes": {"corrupt_image": 1, "no_person": 1}}}


def test_outcomes_are_those_of_the_pipeline(tmp_path: Path) -> None:
    for count in range(3):
        save(draw(columns(count)), tmp_path / f"{count}.jpg")
    (tmp_path / "3.jpg").write_text("no image")
    classifier = Classifier.load(resolve(str(write_tiny_classifier(tmp_path / "model")), tmp_path), ON_TORCH)
    people = [LabelledPerson(tmp_path / f"{count}.jpg", "male", "a") for count in range(4)]
    results = outcomes(people, Pipeline(FigureFinder().as_detector(), classifier, decode_limits()))
    assert [result.code for result in results] == [Code.NO_PERSON, Code.OK, Code.MULTIPLE_PEOPLE, Code.NOT_AN_IMAGE]


def test_calibration_error_by_hand() -> None:
    """Two bins of five: (0.65 of 3, 1 right) and (0.9 of 2, both right)."""
    confidence = np.array([0.6, 0.65, 0.7, 0.85, 0.95])
    right = np.array([True, False, False, True, True])
    expected = 3 / 5 * (0.65 - 1 / 3) + 2 / 5 * (1 - 0.9)
    assert expected_calibration_error(confidence, right, bins=5) == pytest.approx(expected)


def test_certain_and_right_has_no_calibration_error() -> None:
    assert expected_calibration_error(np.ones(4), np.ones(4, dtype=bool)) == 0.0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    calibrated = torch.randn(40_000, 2, generator=generator) * 2
    targets = torch.multinomial(calibrated.softmax(-1), 1, generator=generator)[:, 0]
    assert fit_temperature(calibrated * temperature, targets) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize(("targets", "low", "high"), [([0, 1, 0, 1], 0.05, 0.2), ([1, 0, 1, 0], 20, 20)], ids=["all-right", "all-wrong"])
def test_the_temperature_stays_within_bounds(targets: list[int], low: float, high: float) -> None:
    logits = torch.tensor([[2.0, -2.0], [-2.0, 2.0], [1.0, -1.0], [-1.0, 1.0]])
    temperature = fit_temperature(logits, torch.tensor(targets))
    assert low <= round(temperature, 3) <= high
    assert ClassifierDecision(temperature=temperature)


# --- the classifier's decision ------------------------------------------------------------------------------------------------


class TopColour:
    """Stands in for a classifier that sees women by a red upper half of the crop, and is not sure of itself."""

    label_names = ("female", "male")

    def __init__(self, real: Classifier) -> None:
        self.crop_spec = real.crop_spec
        self.decision = real.decision

    def logits(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        red = [float((crop[: len(crop) // 2, :, 0] > 200).mean()) for crop in crops]
        return torch.tensor([[10 * (share - 0.7), 0.0] for share in red])


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    folder = write_tiny_classifier(tmp_path / "classifier")
    ClassifierDecision(temperature=2.0, input_size=64).write(folder)
    return Classifier.load(resolve(str(folder), tmp_path), ON_TORCH)


def test_a_crop_and_a_temperature_are_chosen(tmp_path: Path, classifier: Classifier) -> None:
    people = read_index(write_portraits(tmp_path / "portraits", ["val"], photos=2), "val")
    decision = choose_classifier_decision(people, FigureFinder().as_detector(), classifier)
    assert decision.input_size == 64
    assert 1 / 20 <= decision.temperature <= 20
    decision.write(tmp_path)
    assert ClassifierDecision.read(tmp_path) == decision


def test_the_crop_that_shows_what_tells_the_labels_apart_is_chosen(tmp_path: Path, classifier: Classifier) -> None:
    """Women have red heads on long grey-blue bodies, men are blue: only a short crop from the top is mostly red."""
    people = []
    for number, (label, head) in enumerate([("female", (230, 20, 20)), ("male", (20, 20, 230))] * 2):
        body = Image.new("RGB", (40, 200), (20, 20, 230))
        body.paste(head, (0, 0, 40, 30))
        photo = draw([], (120, 220))
        photo.paste(body, (40, 10))
        save(photo, tmp_path / f"{number}.jpg")
        people.append(LabelledPerson(tmp_path / f"{number}.jpg", label, "drawn"))
    decision = choose_classifier_decision(people, FigureFinder().as_detector(), TopColour(classifier))  # type: ignore[arg-type]
    assert decision.crop_aspect in (1.0, 1.25, 1.5)
    assert decision.crop_margin == 0.0


def test_nobody_to_judge_by_is_an_error(tmp_path: Path, classifier: Classifier) -> None:
    save(draw(columns(2)), tmp_path / "two.jpg")
    with pytest.raises(InputError, match="the gate lets no validation photo through"):
        choose_classifier_decision([LabelledPerson(tmp_path / "two.jpg", "male", "a")], FigureFinder().as_detector(), classifier)


# --- files --------------------------------------------------------------------------------------------------------------------


def test_metrics_name_the_weights_that_they_speak_of(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_metrics(tmp_path, {"answers": {"accuracy": 0.123456, "photos": 3, "roc_auc": None}}, ["gender"])
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "data": ["gender"],
        "answers": {"accuracy": 0.1235, "photos": 3, "roc_auc": None},
    }

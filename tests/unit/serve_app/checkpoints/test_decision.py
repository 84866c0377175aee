"""What travels with a checkpoint's weights, and how it may be overridden."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.checkpoints.decision import DECISION_FILE, ClassifierDecision, Decision, DecisionError, DetectorDecision


def published(folder: Path, **values: Any) -> Path:
    """A folder with a `decision.json`."""
    (folder / DECISION_FILE).write_text(json.dumps(values))
    return folder


def test_without_the_file_the_values_of_the_original_hold(tmp_path: Path) -> None:
    detector = DetectorDecision.read(tmp_path)
    assert (detector.score_threshold, detector.min_area, detector.min_height) == (0.7, 0.05, 0.20)
    assert detector.input_size is None
    classifier = ClassifierDecision.read(tmp_path)
    assert (classifier.crop_margin, classifier.temperature, classifier.input_size) == (0.0, 1.0, None)
    assert (classifier.views, classifier.head_margin) == (("person",), 0.0)
    assert classifier.min_confidence == 0.0


def test_the_file_replaces_defaults(tmp_path: Path) -> None:
    decision = DetectorDecision.read(published(tmp_path, score_threshold=0.4))
    assert decision == DetectorDecision(score_threshold=0.4)


def test_overrides_replace_the_file_and_none_leaves_it(tmp_path: Path) -> None:
    published(tmp_path, score_threshold=0.4, min_area=0.1)
    decision = DetectorDecision.read(tmp_path, {"score_threshold": 0.6, "min_area": None, "input_size": None})
    assert decision == DetectorDecision(score_threshold=0.6, min_area=0.1)


def test_zero_is_an_override(tmp_path: Path) -> None:
    assert DetectorDecision.read(published(tmp_path, min_area=0.1), {"min_area": 0.0}).min_area == 0.0


@pytest.mark.parametrize(
    "decision",
    [
        DetectorDecision(score_threshold=0.25, input_size=320),
        DetectorDecision(score_threshold=0.6, head_threshold=0.4, headed_score_threshold=0.2, close_up_threshold=0.7, portrait_height=0.4),
        ClassifierDecision(crop_margin=0.3, crop_aspect=1.25, temperature=1.7, min_confidence=0.8),
        ClassifierDecision(views=("head", "person"), head_margin=0.1),
    ],
)
def test_what_is_written_is_read(decision: Decision, tmp_path: Path) -> None:
    decision.write(tmp_path)
    assert type(decision).read(tmp_path) == decision


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '{"score_threshold": 2}', '{"score_threshold": NaN}', '{"min_area": "large"}', '{"temperature": 1}'],
)
def test_a_file_that_is_not_valid_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / DECISION_FILE).write_text(text)
    with pytest.raises(DecisionError, match=f"{tmp_path}/{DECISION_FILE} .* is not valid"):
        DetectorDecision.read(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        {"temperature": 0.0},
        {"temperature": float("inf")},
        {"crop_margin": -0.1},
        {"min_confidence": 1.01},
        {"min_confidence": -0.01},
        {"input_size": 7},
        {"score_threshold": 0.5},
        {"margin": 1},
        {"views": []},
        {"views": ["head"]},
        {"views": ["person", "head"]},
        {"views": ["person", "person"]},
        {"views": ["head", "person", "person"]},
        {"views": ["face", "person"]},
        {"views": "person"},
        {"head_margin": 1.1},
    ],
)
def test_an_override_that_is_not_valid_is_named(override: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DecisionError, match=next(iter(override))):
        ClassifierDecision.read(tmp_path, override)


@pytest.mark.parametrize(("headed", "least"), [(None, 0.6), (0.2, 0.2), (0.0, 0.0), (0.8, 0.8)])
def test_a_person_with_a_head_has_a_threshold_of_its_own_if_there_is_one(headed: float | None, least: float) -> None:
    assert DetectorDecision(score_threshold=0.6, headed_score_threshold=headed).least_score == least


def test_decisions_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DetectorDecision().score_threshold = 0.1  # type: ignore[misc]

"""The self-test of a loaded model: right answers pass on every runtime, wrong ones are told with their numbers."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from serve_app.checkpoints import GOLDEN_FILE, Checkpoint, CheckpointError, resolve
from serve_app.runtimes.base import Floats
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR
from serve_app.vision import golden
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.drawing import draw
from serve_app.vision.golden import check_golden, golden_of
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier, write_tiny_detector


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A tiny classifier with its golden.json."""
    return with_golden(write_tiny_classifier(tmp_path_factory.mktemp("golden") / "teller"), Classifier)


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A tiny detector with its golden.json."""
    folder = tmp_path_factory.mktemp("golden") / "finder"
    return with_golden(write_tiny_detector(folder, "rt_detr", ("person", "head"), signal=True), Detector)


def with_golden(folder: Path, kind: type[Classifier] | type[Detector]) -> Checkpoint:
    checkpoint = resolve(str(folder), folder)
    (folder / GOLDEN_FILE).write_text(golden_of(kind.load(checkpoint, ON_TORCH)))
    return checkpoint


def answering(model: Classifier | Detector, change: Callable[[tuple[Floats, ...]], tuple[Floats, ...]]) -> Any:
    """The model with a runtime that gives other outputs."""
    run = model._run
    model._run = lambda pixels: change(run(pixels))
    return model


def test_the_pictures_are_the_same_everywhere() -> None:
    picture, person = draw(3)
    assert picture.shape == (320, 256, 3)
    assert picture.dtype == np.uint8
    assert person.head
    assert [round(float(each.mean()), 1) for each in (picture, draw(4)[0])] == [135.7, 103.4], "raise DRAWING when they change on purpose"
    np.testing.assert_array_equal(picture, draw(3)[0])


def test_a_model_passes_that_answers_as_it_did(teller: Checkpoint, finder: Checkpoint, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        check_golden(Classifier.load(teller, ON_TORCH, {"temperature": 3.0, "min_confidence": 0.99}))
        check_golden(Detector.load(finder, ON_TORCH, {"score_threshold": 0.9, "min_area": 0.5}))
    assert caplog.text.count("has passed its self-test") == 2


def test_labels_in_another_order_are_told_with_the_numbers(teller: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="the self-test failed, 4 of 4") as refused:
        check_golden(answering(Classifier.load(teller, ON_TORCH), lambda outputs: (outputs[0][:, ::-1],)))
    (number, margin), *_ = json.loads((teller.path / GOLDEN_FILE).read_text())["margins"].items()
    assert f"picture {number}, logit of female less that of male: {-margin:.4g} instead of {margin:.4g} (tolerance 0.25)" in str(
        refused.value
    )


def test_heads_taken_for_people_are_told(finder: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="person, highest score: .* instead of .* \\(tolerance 0.1\\)"):
        check_golden(answering(Detector.load(finder, ON_TORCH), lambda outputs: (outputs[0][..., ::-1], outputs[1])))


def test_boxes_that_are_elsewhere_are_told(finder: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="score and box"):
        check_golden(answering(Detector.load(finder, ON_TORCH), lambda outputs: (outputs[0], outputs[1] * 0.5)))


def test_a_network_that_computes_something_else_is_told(teller: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="the self-test failed"):
        check_golden(answering(Classifier.load(teller, ON_TORCH), lambda outputs: (outputs[0] * 1.5 + 1,)))
    with pytest.raises(CheckpointError, match="cannot be made .*not finite"):
        check_golden(answering(Classifier.load(teller, ON_TORCH), lambda outputs: (outputs[0] * np.nan,)))


def test_rounding_passes(teller: Checkpoint, finder: Checkpoint) -> None:
    """Half precision, with which GPUs may run; and the queries in another order."""

    def halved(outputs: tuple[Floats, ...]) -> tuple[Floats, ...]:
        return tuple(each.astype(np.float16).astype(np.float32)[:, ::-1] for each in outputs)

    check_golden(answering(Detector.load(finder, ON_TORCH), halved))
    check_golden(answering(Classifier.load(teller, ON_TORCH), lambda outputs: (outputs[0].astype(np.float16).astype(np.float32),)))


def test_a_checkpoint_without_the_file_or_with_other_crops_is_not_checked(
    teller: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_golden(Classifier.load(resolve(str(write_tiny_classifier(tmp_path / "foreign")), tmp_path), ON_TORCH))
    with caplog.at_level(logging.INFO):
        check_golden(Classifier.load(teller, ON_TORCH, {"crop_margin": 0.3}))
    assert "is not checked" in caplog.text


def test_a_file_that_is_damaged_is_told(teller: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / GOLDEN_FILE).write_text("{")
    damaged = Classifier.load(teller, ON_TORCH)
    damaged.checkpoint = replace(teller, path=tmp_path)
    with pytest.raises(CheckpointError, match="its self-test cannot be made"):
        check_golden(damaged)


@pytest.mark.parametrize(("kind", "uri"), [(Classifier, EMBEDDED_CLASSIFIER), (Detector, EMBEDDED_DETECTOR)])
def test_the_embedded_models_pass_with_room_to_spare_and_in_half_precision(
    kind: type[Classifier] | type[Detector], uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MARGIN_TOLERANCE", "BOX_TOLERANCE"):
        monkeypatch.setattr(golden, name, getattr(golden, name) / 10)
    checkpoint = resolve(uri, tmp_path)
    assert (checkpoint.path / GOLDEN_FILE).exists()
    model = kind.load(checkpoint, ON_TORCH)
    check_golden(model)
    monkeypatch.undo()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check_golden(model)


def test_what_the_embedded_models_answered_tells_labels_apart() -> None:
    margins = json.loads(Path(EMBEDDED_CLASSIFIER, GOLDEN_FILE).read_text())["margins"].values()
    assert max(map(abs, margins)) > 4 * golden.MARGIN_TOLERANCE
    found = json.loads(Path(EMBEDDED_DETECTOR, GOLDEN_FILE).read_text())["found"].values()
    assert all(each["score"] > 2 * golden.SURE_BOX for boxes in found for each in boxes)

"""Any ViT with the labels male and female: crops in, calibrated probabilities out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from serve_app.checkpoints import Checkpoint, CheckpointError, resolve
from serve_app.checkpoints.decision import ClassifierDecision, DecisionError
from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from serve_app.vision.classifier import Classifier, confidence_gate
from serve_app.vision.images import RGB
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier


def noise(count: int, size: int = 32) -> list[RGB]:
    """Crops of random noise."""
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def write(folder: Path, labels: Sequence[str] = ("female", "male")) -> Checkpoint:
    return resolve(str(write_tiny_classifier(folder, labels)), folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A tiny checkpoint, female first."""
    return write(tmp_path_factory.mktemp("classifier"))


def load(checkpoint: Checkpoint, **overrides: Any) -> Classifier:
    return Classifier.load(checkpoint, ON_TORCH, overrides)


def test_probabilities_are_of_both_labels_and_sum_to_one(checkpoint: Checkpoint) -> None:
    for probabilities in load(checkpoint)(noise(5)):
        assert set(probabilities) == set(LABELS)
        assert sum(probabilities.values()) == pytest.approx(1)


def test_probabilities_follow_the_checkpoints_own_order_of_labels(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The same weights with swapped label names give swapped answers."""
    exchanged = load(write(tmp_path, ("MALE", "Female")))
    assert exchanged.label_names == ["male", "female"]
    for one, other in zip(load(checkpoint)(noise(5)), exchanged(noise(5)), strict=True):
        assert one["female"] == pytest.approx(other["male"])
        assert one["female"] != pytest.approx(one["male"])


def test_probabilities_are_the_softmax_of_the_logits(checkpoint: Checkpoint) -> None:
    classifier = load(checkpoint)
    expected = torch.softmax(torch.from_numpy(classifier.logits(noise(3))), dim=-1)
    assert [list(row.values()) for row in classifier(noise(3))] == [pytest.approx(row.tolist()) for row in expected]


def test_a_crop_gets_the_same_answer_alone_and_in_any_batch(checkpoint: Checkpoint) -> None:
    classifier, crops = load(checkpoint), noise(9)
    alone = [classifier([crop])[0] for crop in crops]
    for answers in (classifier(crops), classifier(crops[::-1])[::-1], [*classifier(crops[:4]), *classifier(crops[4:])]):
        for one, other in zip(answers, alone, strict=True):
            assert one == pytest.approx(other, abs=1e-3)


def test_temperature_changes_the_confidence_and_not_the_decision(checkpoint: Checkpoint) -> None:
    plain, softened = load(checkpoint)(noise(9)), load(checkpoint, temperature=4.0)(noise(9))
    for one, other in zip(plain, softened, strict=True):
        assert max(one, key=one.__getitem__) == max(other, key=other.__getitem__)
        assert 0.5 < max(other.values()) < max(one.values())


@pytest.mark.parametrize(
    ("min_confidence", "code"), [(0.0, Code.OK), (0.5, Code.OK), (0.75, Code.OK), (0.76, Code.UNSURE), (1.0, Code.UNSURE)]
)
def test_an_answer_below_the_least_confidence_is_unsure(min_confidence: float, code: Code) -> None:
    decision = ClassifierDecision(min_confidence=min_confidence)
    assert confidence_gate({"male": 0.25, "female": 0.75}, decision) is code
    assert confidence_gate({"male": 0.75, "female": 0.25}, decision) is code


def test_the_least_confidence_changes_no_probability(checkpoint: Checkpoint) -> None:
    assert load(checkpoint, min_confidence=1.0)(noise(3)) == load(checkpoint)(noise(3))


def test_no_crops_no_answers(checkpoint: Checkpoint) -> None:
    assert load(checkpoint)([]) == []


@pytest.mark.parametrize("labels", [("male", "other"), ("male", "female", "other"), ("male", "Male"), ("LABEL_0", "LABEL_1"), ("male",)])
def test_other_labels_are_refused(labels: Sequence[str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"'{tmp_path}': its labels are .*, not male and female"):
        load(write(tmp_path, labels))


def test_an_override_that_is_not_valid_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(DecisionError, match="temperature"):
        load(checkpoint, temperature=-1)


def test_the_input_size_can_be_overridden(checkpoint: Checkpoint) -> None:
    classifier = load(checkpoint, input_size=48)
    assert classifier.crop_spec.size == 48
    assert classifier.blank_crop().shape == (48, 48, 3)
    assert len(classifier(noise(2, size=48))) == 2


def test_an_override_of_the_same_size_changes_nothing(checkpoint: Checkpoint) -> None:
    assert load(checkpoint, input_size=32)(noise(3)) == load(checkpoint)(noise(3))


def test_the_crop_is_the_one_of_decision_and_processor(tmp_path: Path) -> None:
    path = write_tiny_classifier(tmp_path)
    ClassifierDecision(crop_margin=0.25, crop_aspect=1.5).write(path)
    spec = load(resolve(str(path), tmp_path), crop_aspect=1.25).crop_spec
    assert (spec.margin, spec.aspect, spec.size) == (0.25, 1.25, 32)

"""Any ViT with the labels male and female: crops in, calibrated probabilities out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from serve_app.checkpoints import Checkpoint, CheckpointError, resolve
from serve_app.checkpoints.decision import ClassifierDecision, DecisionError, View
from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from serve_app.vision.classifier import Classifier, confidence_gate
from serve_app.vision.cropping import crop_person
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedHead, DetectedPerson
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.images import picture


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


TWO: tuple[View, ...] = ("head", "person")


@pytest.fixture(scope="module")
def of_two_views(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("two-views")
    return resolve(str(write_tiny_classifier(folder, views=TWO)), folder)


def test_a_classifier_of_two_views_takes_one_above_the_other(of_two_views: Checkpoint) -> None:
    classifier = load(of_two_views)
    assert (classifier.crop_spec.views, classifier.crop_spec.size) == (TWO, 32)
    assert classifier.crop_spec.shape == classifier.blank_crop().shape == (64, 32, 3)
    crops = list(np.random.default_rng(0).integers(0, 256, (4, 64, 32, 3), dtype=np.uint8))
    answers = classifier(crops)
    for half in (slice(0, 32), slice(32, 64)):
        changed = [crop.copy() for crop in crops]
        for crop in changed:
            crop[half] = 0
        assert all(one != pytest.approx(other, abs=1e-4) for one, other in zip(classifier(changed), answers, strict=True))


@pytest.mark.parametrize("views", [("person",), TWO])
def test_views_that_do_not_fit_the_processors_size_are_refused(
    checkpoint: Checkpoint, of_two_views: Checkpoint, views: tuple[View, ...]
) -> None:
    other, size, shown = (of_two_views, "32 x 64", "person") if views == ("person",) else (checkpoint, "32 x 32", "head above person")
    with pytest.raises(CheckpointError, match=f"'{other.uri}': its input is {size} pixels, which is not {shown} in squares.*Check `views`"):
        load(other, views=views)


@pytest.mark.parametrize("size", [32, 48, 64])
def test_a_network_of_two_views_has_one_size(of_two_views: Checkpoint, size: int) -> None:
    with pytest.raises(CheckpointError, match=rf"its input is 32 x 64 pixels and cannot be {size} x {size}.*Leave `input_size` out"):
        load(of_two_views, input_size=size)


def test_a_checkpoint_of_before_there_were_views_answers_as_before(tmp_path: Path) -> None:
    """The crop of its one view is the clipped box, and its answers are those of transformers alone."""
    path = write_tiny_classifier(tmp_path)
    (path / "decision.json").write_text('{"crop_margin": 0.0, "crop_aspect": 10.0, "temperature": 1.0, "input_size": null}')
    classifier = load(resolve(str(path), tmp_path))
    photo = np.asarray(picture(60, 40))
    person = DetectedPerson((0.25, 0.25, 0.75, 1.0), 0.9, DetectedHead((0.4, 0.3, 0.5, 0.4), 0.9), heads_known=True)
    crop = crop_person(photo, person, classifier.crop_spec)
    box = Image.fromarray(photo).crop((15, 10, 45, 40)).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(crop.astype(int), np.asarray(box), atol=2)
    inputs = AutoImageProcessor.from_pretrained(path, backend="pil")(images=crop, return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        expected = AutoModelForImageClassification.from_pretrained(path).eval()(**inputs).logits.numpy()
    np.testing.assert_allclose(classifier.logits([crop]), expected, atol=1e-4)

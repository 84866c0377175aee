"""Any DETR-family checkpoint: photos in, people out, the same alone and in a batch."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForObjectDetection, DetrImageProcessorPil

from serve_app.checkpoints import Checkpoint, CheckpointError, resolve
from serve_app.checkpoints.decision import FAINT, DecisionError, DetectorDecision
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from tests.support.checkpoints import ON_TORCH, DetectorKind, write_tiny_detector

KINDS: Sequence[DetectorKind] = ("detr", "rt_detr", "deimv2")
EVERYTHING = {"score_threshold": 0.0}


def noise(height: int, width: int, seed: int = 0) -> RGB:
    """A photo of random noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


MIXED_SHAPES = [noise(60, 80), noise(120, 60, 1), noise(60, 80, 2), noise(50, 200, 3), noise(64, 64, 4), noise(60, 80, 5)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[DetectorKind, Checkpoint]:
    """One tiny checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("detectors")
    return {kind: resolve(str(write_tiny_detector(folder / kind, kind, signal=kind != "detr")), folder) for kind in KINDS}


def load(checkpoint: Checkpoint, **overrides: Any) -> Detector:
    return Detector.load(checkpoint, ON_TORCH, EVERYTHING | overrides)


def everyone(found: list[list[DetectedPerson]]) -> list[DetectedPerson]:
    return list(chain.from_iterable(found))


def same(found: list[DetectedPerson], expected: list[DetectedPerson]) -> bool:
    """Equal within 1e-3, in scores and in boxes. The order of people with nearly equal scores depends on rounding."""
    if len(found) != len(expected) or not found:
        return not found and not expected
    one, other = (np.array([(*person.box, person.score) for person in people]) for people in (found, expected))
    differences = np.abs(one[:, None] - other).max(axis=-1)
    return bool(max(differences.min(axis=0).max(), differences.min(axis=1).max()) < 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_people_with_relative_boxes(kind: DetectorKind, checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    found = everyone(load(checkpoints[kind])(MIXED_SHAPES))
    assert found
    for person in found:
        assert 0 <= person.box[0] < person.box[2] <= 1
        assert 0 <= person.box[1] < person.box[3] <= 1
        assert 0 <= person.score <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_gets_the_same_people_alone_and_in_any_company(kind: DetectorKind, checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    detector = load(checkpoints[kind])
    alone = [detector([photo])[0] for photo in MIXED_SHAPES]
    order = list(reversed(range(len(MIXED_SHAPES))))
    together, reversed_ = detector(MIXED_SHAPES), detector([MIXED_SHAPES[index] for index in order])
    assert any(alone)
    for index, people in enumerate(alone):
        assert same(together[index], people)
        assert same(reversed_[order.index(index)], people)


def test_padding_would_change_the_answers_of_detr(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    """Why photos are grouped by shape: padded batches of the processor, even with its mask, change a photo's logits."""
    path = checkpoints["detr"].path
    model = AutoModelForObjectDetection.from_pretrained(path).eval()
    process = partial(DetrImageProcessorPil.from_pretrained(path), return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        alone = model(**process(images=MIXED_SHAPES[0])).logits[0]
        padded = model(**process(images=MIXED_SHAPES[:2])).logits[0]
    assert (alone - padded).abs().max() > 1e-3


def test_no_photos_no_people(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    assert load(checkpoints["detr"])([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_class_person_is_found_under_any_index_and_spelling(kind: DetectorKind, tmp_path: Path) -> None:
    """The weights do not depend on the names, so another index for the person must give the other class's boxes."""
    first, second = (
        everyone(load(resolve(str(write_tiny_detector(tmp_path / str(index), kind, labels)), tmp_path))(MIXED_SHAPES))
        for index, labels in enumerate([("person", "dog"), ("dog", "Person")])
    )
    assert first
    assert second
    assert not set(first) & set(second)


def test_only_scores_above_the_threshold_are_found(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    people = everyone(load(checkpoints["rt_detr"])(MIXED_SHAPES))
    threshold = sorted(person.score for person in people)[len(people) // 2] + 1e-6
    found = everyone(load(checkpoints["rt_detr"], score_threshold=threshold)(MIXED_SHAPES))
    assert found
    assert found == [person for person in people if person.score > threshold]


@pytest.mark.parametrize("kind", KINDS)
def test_heads_are_found_where_the_checkpoint_has_them_in_whichever_order(kind: DetectorKind, tmp_path: Path) -> None:
    """The weights do not depend on the names, so with exchanged names people become heads."""
    found = []
    for labels in (("person", "head"), ("Head", "person")):
        path = write_tiny_detector(tmp_path / labels[0], kind, labels, signal=kind != "detr")
        found.append(everyone(load(resolve(str(path), tmp_path), head_threshold=0.0)(MIXED_SHAPES)))
    bodies = [{person.box for person in people if person.body_found} for people in found]
    heads = [{person.head.box for person in people if person.head} for people in found]
    assert all(heads)
    assert heads[0] <= bodies[1]  # of heads, duplicates are dropped
    assert heads[1] <= bodies[0]
    assert all(person.heads_known for people in found for person in people)


def test_a_checkpoint_without_heads_knows_none(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    people = everyone(load(checkpoints["rt_detr"], head_threshold=0.0)(MIXED_SHAPES))
    assert not any(person.heads_known or person.head for person in people)


def test_only_heads_above_their_threshold_are_found(tmp_path: Path) -> None:
    checkpoint = resolve(str(write_tiny_detector(tmp_path, "rt_detr", ("person", "head"), signal=True)), tmp_path)
    everything = everyone(load(checkpoint, head_threshold=0.0)(MIXED_SHAPES))
    heads = sorted(person.head.score for person in everything if person.head)
    threshold = heads[len(heads) // 2]
    found = [person.head.score for person in everyone(load(checkpoint, head_threshold=threshold)(MIXED_SHAPES)) if person.head]
    assert sorted(found) == [score for score in heads if score > threshold]


def test_faint_bodies_are_found_whatever_the_thresholds_where_heads_are_known(tmp_path: Path) -> None:
    """They tell whose a head is: without them, a head over a faint body would be a person whose body was not found."""
    checkpoint = resolve(str(write_tiny_detector(tmp_path, "rt_detr", ("person", "head"), signal=True)), tmp_path)
    bodies = [
        sorted(person.score for person in everyone(load(checkpoint, **thresholds)(MIXED_SHAPES)) if person.body_found)
        for thresholds in ({"score_threshold": 0.0}, {"score_threshold": 1.0}, {"score_threshold": 1.0, "headed_score_threshold": 0.5})
    ]
    assert bodies[1] == bodies[2] == [score for score in bodies[0] if score > FAINT]
    assert bodies[1]


def test_faint_heads_are_found_where_they_tell_that_somebody_is_nearly_all_head(tmp_path: Path) -> None:
    """A cat's face is a person with a faint head; were the head not seen, it would be a person with a body."""
    checkpoint = resolve(str(write_tiny_detector(tmp_path, "rt_detr", ("person", "head"), signal=True)), tmp_path)
    everything = [person.head.score for person in everyone(load(checkpoint, head_threshold=0.0)(MIXED_SHAPES)) if person.head]
    assert not any(person.head for person in everyone(load(checkpoint, head_threshold=1.0)(MIXED_SHAPES)))
    found = [
        person.head.score for person in everyone(load(checkpoint, head_threshold=1.0, close_up_threshold=0.7)(MIXED_SHAPES)) if person.head
    ]
    assert found
    assert sorted(found) == sorted(score for score in everything if score > FAINT)


def test_faint_heads_are_found_where_they_are_cropped(tmp_path: Path) -> None:
    checkpoint = resolve(str(write_tiny_detector(tmp_path, "rt_detr", ("person", "head"), signal=True)), tmp_path)
    everything = sorted(person.head.score for person in everyone(load(checkpoint, head_threshold=0.0)(MIXED_SHAPES)) if person.head)
    threshold = everything[len(everything) // 2]
    people = everyone(load(checkpoint, head_threshold=1.0, cropped_head_threshold=threshold)(MIXED_SHAPES))
    assert sorted(person.head.score for person in people if person.head) == [score for score in everything if score > threshold]


def test_a_checkpoint_without_a_person_is_refused(tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path / "animals", labels=("cat", "dog"))
    with pytest.raises(CheckpointError, match=rf"'{path}': it has no class 'person', only \['cat', 'dog'\]"):
        load(resolve(str(path), tmp_path))


def test_an_override_that_is_not_valid_is_refused(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    with pytest.raises(DecisionError, match="threshold"):
        Detector.load(checkpoints["detr"], ON_TORCH, {"threshold": 0.5})


def test_the_decision_is_the_checkpoints_own(tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path)
    DetectorDecision(score_threshold=0.33, min_area=0.01).write(path)
    decision = Detector.load(resolve(str(path), tmp_path), ON_TORCH, {"min_area": 0.02, "score_threshold": None}).decision
    assert (decision.score_threshold, decision.min_area) == (0.33, 0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_input_size_can_be_overridden(kind: DetectorKind, checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    detector = load(checkpoints[kind], input_size=96)
    assert detector.prepare(noise(60, 80)).shape == (96, 96, 3)
    assert len(detector(MIXED_SHAPES)) == len(MIXED_SHAPES)


def test_preparing_is_pillows_bilinear_resize(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    """Training resizes this way, without the processor."""
    photo = noise(120, 200)
    plain = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.array_equal(load(checkpoints["rt_detr"]).prepare(photo), plain)


@pytest.mark.parametrize("kind", ["rt_detr", "deimv2"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 1024), (1024, 1), (3, 50)])
def test_odd_shapes_are_photos_too(kind: DetectorKind, shape: tuple[int, int], checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    """Three rows must not be mistaken for three channels."""
    assert load(checkpoints[kind]).prepare(noise(*shape)).shape == (64, 64, 3)


def test_photos_of_the_decoder_may_be_read_only(checkpoints: dict[DetectorKind, Checkpoint]) -> None:
    photo = noise(60, 80)
    photo.flags.writeable = False
    assert same(load(checkpoints["detr"])([photo])[0], load(checkpoints["detr"])([photo.copy()])[0])


def test_half_precision_files_give_nearly_the_same_people(checkpoints: dict[DetectorKind, Checkpoint], tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path)
    AutoModelForObjectDetection.from_pretrained(path).half().save_pretrained(path)
    assert json.loads((path / "config.json").read_text())["dtype"] == "float16"
    full, half = load(checkpoints["detr"])(MIXED_SHAPES[:1])[0], load(resolve(str(path), tmp_path))(MIXED_SHAPES[:1])[0]
    assert len(full) == len(half)
    for one, other in zip(full, half, strict=True):
        assert one.score == pytest.approx(other.score, abs=0.05)

"""The self-test of a loaded model: `golden.json`, beside the weights, has what they answered about a few drawn pictures.

A wrong runtime, a broken export or labels in another order would give wrong answers without an error. So whoever loads a checkpoint to
serve it compares its answers with these first. They are answers of the network alone: no threshold and no temperature is in them, so those
may be changed. A checkpoint without the file, or with one of other pictures, is not checked.
"""

import logging
from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from serve_app.checkpoints import GOLDEN_FILE, CheckpointError
from serve_app.runtimes.base import CLASSES
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.detector import Detector
from serve_app.vision.drawing import DRAWING, draw

logger = logging.getLogger(__name__)

CANDIDATES = 16  # pictures, of which the most telling are kept
PICTURES = 4
# Between runtimes and instruction sets in float32, margins differ by less than 0.01, and scores and boxes by less than 0.002. In half
# precision, as GPUs may run (bfloat16 is the coarsest), those of the embedded models differ by 0.02 and 0.07. Labels in another order or a
# wrong normalisation change margins by whole units, and scores and boxes by tenths.
MARGIN_TOLERANCE = 0.25
BOX_TOLERANCE = 0.1
SURE_BOX = 0.2  # a box with a lower score may give way to another one by rounding alone


class Compared(NamedTuple):
    """Some numbers of an answer as they were and as they are."""

    what: str
    expected: tuple[float, ...]
    got: tuple[float, ...]
    tolerance: float

    @property
    def difference(self) -> float:
        """The largest one."""
        return float(np.abs(np.subtract(self.got, self.expected)).max())

    def __str__(self) -> str:
        return f"{self.what}: {_numbers(self.got)} instead of {_numbers(self.expected)} (tolerance {self.tolerance:g})"


class _Golden(BaseModel):
    """Base of what `golden.json` has. `drawing` tells what the pictures were drawn with; they are kept by their numbers."""

    model_config = ConfigDict(frozen=True)

    drawing: int = DRAWING

    def to_json(self) -> str:
        """The content of `golden.json`."""
        return self.model_dump_json(indent=2) + "\n"


class GoldenClassifier(_Golden):
    """Of a classifier: the logit of female less that of male, by picture, and how it was cropped."""

    crop: CropSpec
    margins: dict[int, float]

    @classmethod
    def of(cls, classifier: Classifier) -> Self:
        """The answers of a classifier about the pictures that spread its margins most."""
        margins = sorted((_margin(classifier, number), number) for number in range(CANDIDATES))
        chosen = [margins[round(index)] for index in np.linspace(0, CANDIDATES - 1, PICTURES)]
        return cls(crop=classifier.crop_spec, margins={number: round(margin, 4) for margin, number in chosen})

    def fits(self, classifier: Classifier) -> bool:
        """Whether the classifier gets the same crops."""
        return self.crop == classifier.crop_spec

    def compare(self, classifier: Classifier) -> Iterator[Compared]:
        """The margins as they were and are."""
        for number, margin in self.margins.items():
            now = _margin(classifier, number)
            yield Compared(f"picture {number}, logit of female less that of male", (margin,), (now,), MARGIN_TOLERANCE)


class FoundBox(BaseModel):
    """A box of a person or a head, and its score."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["person", "head"]
    score: float
    box: tuple[float, float, float, float]


class GoldenDetector(_Golden):
    """Of a detector: the best box of each kind, by picture, and the size (height, width) to which pictures were resized."""

    size: tuple[int, int]
    found: dict[int, list[FoundBox]]

    @classmethod
    def of(cls, detector: Detector) -> Self:
        """The answers of a detector about the pictures in which it is surest of all that it finds."""
        found = {number: _best_boxes(detector, number) for number in range(CANDIDATES)}
        chosen = sorted(found, key=lambda number: (-min(best.score for best in found[number]), number))[:PICTURES]
        return cls(size=_prepared_size(detector), found={number: found[number] for number in sorted(chosen)})

    def fits(self, detector: Detector) -> bool:
        """Whether the detector gets pictures of the same size."""
        return self.size == _prepared_size(detector)

    def compare(self, detector: Detector) -> Iterator[Compared]:
        """Scores and boxes as they were and are."""
        for number, boxes in self.found.items():
            rows = _rows(detector, number)
            for best in boxes:
                if best.kind not in rows:
                    raise CheckpointError(detector.checkpoint.uri, f"it finds no {best.kind} at all any more", "Publish it again")
                what = f"picture {number}, {best.kind}"
                of_kind = rows[best.kind]
                yield Compared(f"{what}, highest score", (best.score,), (float(of_kind[:, 0].max()),), BOX_TOLERANCE)
                if best.score >= SURE_BOX:
                    expected = np.array([best.score, *best.box])
                    # The closest one: two boxes that score alike may change places.
                    closest = of_kind[np.abs(of_kind - expected).max(axis=1).argmin()]
                    yield Compared(f"{what}, score and box", tuple(expected.tolist()), tuple(closest.tolist()), BOX_TOLERANCE)


def check_golden(model: Classifier | Detector) -> None:
    """Compares the answers of a model that was just loaded with those in its `golden.json`. Call it from the thread that runs the model.

    Raises:
        CheckpointError: they differ beyond what runtimes and processors may; the message has the numbers.
    """
    name, uri = model.checkpoint.name, model.checkpoint.uri
    path = model.checkpoint.path / GOLDEN_FILE
    if not path.exists():
        return
    try:
        content = path.read_bytes()
        compared = _compared(model, content)
    except (ValidationError, FloatingPointError) as error:
        raise CheckpointError(uri, f"its self-test cannot be made ({error})", f"Evaluate it again, or delete {GOLDEN_FILE}") from error
    if compared is None:
        logger.info("%s is not checked: %s is of other pictures, or of another crop or size", name, GOLDEN_FILE)
        return
    if wrong := [each for each in compared if not each.difference <= each.tolerance]:
        raise CheckpointError(
            uri,
            f"the self-test failed, {len(wrong)} of {len(compared)} answers are not those of {GOLDEN_FILE}: {'; '.join(map(str, wrong))}",
            f"Another MODEL_RUNTIME may answer rightly; if the weights were changed on purpose, evaluate again or delete {GOLDEN_FILE}",
        )
    worst = max(each.difference / each.tolerance for each in compared)
    logger.info("%s has passed its self-test: it differs by %.2g of the tolerance at most", name, worst)


def _compared(model: Classifier | Detector, content: bytes) -> list[Compared] | None:
    if isinstance(model, Classifier):
        teller = GoldenClassifier.model_validate_json(content)
        return list(teller.compare(model)) if teller.drawing == DRAWING and teller.fits(model) else None
    finder = GoldenDetector.model_validate_json(content)
    return list(finder.compare(model)) if finder.drawing == DRAWING and finder.fits(model) else None


def golden_of(model: Classifier | Detector) -> str:
    """The content of `golden.json` for a model: what it answers now."""
    return (GoldenClassifier.of(model) if isinstance(model, Classifier) else GoldenDetector.of(model)).to_json()


def _margin(classifier: Classifier, number: int) -> float:
    picture, person = draw(number)
    return float(classifier.margins(classifier.logits([crop_person(picture, person, classifier.crop_spec)]))[0])


def _prepared_size(detector: Detector) -> tuple[int, int]:
    height, width, _ = detector.prepare(draw(0)[0]).shape
    return height, width


def _rows(detector: Detector, number: int) -> dict[str, NDArray[np.float64]]:
    """By kind, a row of score and box for each query."""
    scores, boxes = detector.outputs([detector.prepare(draw(number)[0])])
    return {
        kind: np.column_stack([scores[0, :, index], boxes[0]]).astype(np.float64)
        for index, kind in enumerate(CLASSES)
        if index < scores.shape[-1]
    }


def _best_boxes(detector: Detector, number: int) -> list[FoundBox]:
    found = []
    for kind, rows in _rows(detector, number).items():
        score, *box = (round(value, 4) for value in rows[rows[:, 0].argmax()].tolist())
        found.append(FoundBox.model_validate({"kind": kind, "score": score, "box": box}))
    return found


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)

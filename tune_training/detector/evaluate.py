"""Evaluates a person detector: how often it counts nobody, one person or several correctly. Chooses its `decision.json`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from serve_app.checkpoints import GOLDEN_FILE
from serve_app.checkpoints.decision import DECISION_FILE, FAINT, DetectorDecision
from serve_app.codes import Code
from serve_app.settings import EMBEDDED_DETECTOR
from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.golden import golden_of
from serve_app.vision.people import DetectedPerson, gate, people_that_count
from tune_training.data.labelled_photos import read_labelled, sample_by_source
from tune_training.detector.coco import AnnotatedPhoto, read_coco
from tune_training.evaluate.metrics_file import Metrics, write_metrics
from tune_training.io import storage
from tune_training.io.batches import batches
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, decode_limits, load_detector, set_threads

logger = logging.getLogger(__name__)

COUNTS = ("0", "1", "2+")
PORTRAITS_PER_SOURCE = 300
THRESHOLDS = tuple(round(number / 100, 2) for number in range(6, 80, 2))
CHOICES = {  # of the numbers that are chosen on validation data, in the order in which they are
    "score_threshold": THRESHOLDS,
    "max_overlap": (0.5, 0.6, 0.7, 0.8),
    "head_threshold": THRESHOLDS,
    "headed_score_threshold": THRESHOLDS,
    "close_up_threshold": (0.0, *THRESHOLDS),
    "portrait_height": (0.25, 0.3, 0.35, 0.4, 0.5, 1.0),
}
ROUNDS = 3
START = DetectorDecision(score_threshold=0.5, head_threshold=0.5)


def true_count(photo: AnnotatedPhoto, rule: DetectorDecision) -> int:
    """Number of annotated people who pass the size rule: 0, 1 or 2 (two or more)."""
    people = [DetectedPerson((float(a), float(b), float(c), float(d)), 1.0) for a, b, c, d in photo.people]
    return min(2, sum(person.area > rule.min_area and person.height > rule.min_height for person in people))


def detections(photos: Sequence[str], detector: Detector) -> list[list[DetectedPerson]]:
    """The detections in each photo, down to the detector's own threshold.

    Raises:
        InputError: a photo cannot be decoded.
    """
    limits = decode_limits()
    found: list[list[DetectedPerson]] = []
    for part in batches(photos):
        decoded = []
        for uri in part:
            try:
                decoded.append(decode(storage.read_bytes(uri), limits))
            except ImageRefused as refused:
                raise InputError(f"{uri}: {refused.code.value}; the annotated photos must be intact") from refused
        found += detector(decoded)
    return found


def count_metrics(photos: Sequence[AnnotatedPhoto], found: Sequence[Sequence[DetectedPerson]], rule: DetectorDecision) -> Metrics:
    """How often 0, 1 or 2+ people are counted correctly: overall, by true count and by source."""
    truth = np.array([true_count(photo, rule) for photo in photos])
    counted = np.array([min(2, len(people_that_count(people, rule))) for people in found])
    right = truth == counted
    sources = np.array([photo.source for photo in photos])
    confusion = [[int(((truth == t) & (counted == c)).sum()) for c in range(3)] for t in range(3)]
    return {
        "photos": len(photos),
        "accuracy": float(right.mean()),
        "accuracy_by_count": {name: float(right[truth == index].mean()) for index, name in enumerate(COUNTS) if index in truth},
        "accuracy_by_source": {str(source): float(right[sources == source].mean()) for source in np.unique(sources)},
        "confusion_true_by_counted": dict(zip(COUNTS, confusion, strict=True)),
    }


def choose_detector_decision(
    photos: Sequence[AnnotatedPhoto],
    found: Sequence[Sequence[DetectedPerson]],
    single: Sequence[Sequence[DetectedPerson]],
    start: DetectorDecision = START,
) -> DetectorDecision:
    """Chooses the thresholds and the overlap of duplicates on validation data, one after the other; the size rule stays the original's.

    Args:
        photos: annotated photos.
        found: detections in them, down to `FAINT`, as in the service.
        single: detections in photos that show one person each (portraits); may be empty.
        start: where the search begins; what it does not choose stays as it is there.

    The choice maximises the mean of the accuracy, the balanced accuracy and, with portraits, the share of portraits answered. Each number
    is chosen with the others as they are, a few times over: all combinations would be a million.
    """

    def value(rule: DetectorDecision) -> float:
        metrics = count_metrics(photos, found, rule)
        scores = [metrics["accuracy"], float(np.mean(list(metrics["accuracy_by_count"].values())))]
        if single:
            scores.append(float(np.mean([gate(people_that_count(people, rule)) is Code.OK for people in single])))
        return float(np.mean(scores))

    best = start
    for name, choices in list(CHOICES.items()) * ROUNDS:
        best = max([best, *(best.model_copy(update={name: choice}) for choice in choices)], key=value)
    logger.info("chosen on validation: %s, value %.4f", best, value(best))
    return best


def evaluate_detector(
    people: Annotated[
        Path, typer.Argument(help="Folder with test.json, and val.json to choose on (COCO, with the category person).", exists=True)
    ],
    detector: Annotated[str, typer.Option(help="URI of the detector.")] = EMBEDDED_DETECTOR,
    choose: Annotated[bool, typer.Option(help="First choose its decision.json on val.json; it must be a folder.")] = False,
    portraits: Annotated[
        str | None,
        typer.Option(help="With --choose: photos of one person each (what `evaluate` takes), whose split val should be answered."),
    ] = None,
    threads: Threads = 0,
) -> None:
    """Judge a person detector on photos with boxes of people; writes metrics.json and golden.json beside the weights of a folder."""
    set_threads(threads)
    test = read_coco(people / "test.json")  # before minutes of choosing
    if choose:
        _choose(detector, people, portraits, threads)
    finder = load_detector(detector, threads)
    counts = count_metrics(test, detections([str(photo.path) for photo in test], finder), finder.decision)
    by_count = " ".join(f"{name} {accuracy:.1%}" for name, accuracy in counts["accuracy_by_count"].items())
    typer.echo(f"people counted rightly: {counts['accuracy']:.1%}  by count: {by_count}")
    write_metrics(finder.checkpoint.path, {"person_count": {"test": counts}}, people.name)
    (finder.checkpoint.path / GOLDEN_FILE).write_text(golden_of(finder), encoding="utf-8")


def _choose(uri: str, people: Path, portraits: str | None, threads: int) -> None:
    if not Path(uri).is_dir():
        raise InputError(f"{uri}: decision.json is written beside the weights, so this must be a folder")
    finder = load_detector(uri, threads, {"score_threshold": FAINT, "head_threshold": FAINT})
    photos = read_coco(people / "val.json")
    single = sample_by_source(read_labelled(portraits).split("val"), PORTRAITS_PER_SOURCE) if portraits else []
    found = detections([str(photo.path) for photo in photos], finder)
    folder = finder.checkpoint.path
    start = DetectorDecision.read(folder) if (folder / DECISION_FILE).exists() else START
    choose_detector_decision(photos, found, detections([photo.uri for photo in single], finder), start).write(folder)

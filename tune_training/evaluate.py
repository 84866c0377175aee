"""Judges the two models through the pipeline as served, and writes `decision.json` and `metrics.json` beside the weights.

Thresholds, crops and the temperature are chosen on the validation split; what is reported is measured on the test split and on
collections that nothing was fitted to or chosen on.
"""

import hashlib
import json
import logging
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from serve_app.classifier import Classifier
from serve_app.codes import Code
from serve_app.cropping import RGB, crop_person
from serve_app.decision import ClassifierDecision, DetectorDecision
from serve_app.decoding import DecodeLimits, ImageRefused, decode
from serve_app.detector import Detector
from serve_app.gate import DetectedPerson, gate, people_that_count
from serve_app.pipeline import Outcome, Pipeline
from serve_app.settings import Settings
from tune_training.classification_data import LabelledPerson
from tune_training.detection_data import LabelledPhoto
from tune_training.errors import InputError

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
MODEL_FILE = "model.safetensors"
COUNTS = ("0", "1", "2+")
SCORE_FLOOR = 0.05  # below every threshold worth considering
MAX_TEMPERATURE = 20.0
BATCH = 16

Metrics = dict[str, Any]
Labels = NDArray[np.str_]
Row = TypeVar("Row")


def decode_limits() -> DecodeLimits:
    """The limits of serving, by its own defaults."""
    settings = Settings()
    return DecodeLimits(settings.image_formats, settings.max_image_pixels)


# --- the detector -------------------------------------------------------------------------------------------------------------


def true_count(photo: LabelledPhoto, rule: DetectorDecision) -> int:
    """People of a labelled photo that pass the size rule: 0, 1 or 2 (for two and more)."""
    people = [DetectedPerson((float(a), float(b), float(c), float(d)), 1.0) for a, b, c, d in photo.boxes]
    return min(2, sum(person.area > rule.min_area and person.height > rule.min_height for person in people))


def detections(photos: Sequence[LabelledPhoto] | Sequence[LabelledPerson], detector: Detector) -> list[list[DetectedPerson]]:
    """What the detector finds in each photo, down to its own threshold."""
    paths = [photo.path for photo in photos]
    return [people for part in _batches(paths) for people in detector(_decoded(part))]


def _decoded(paths: Sequence[Path]) -> list[RGB]:
    limits = decode_limits()
    photos = []
    for path in paths:
        try:
            photos.append(decode(path.read_bytes(), limits))
        except ImageRefused as refused:
            raise InputError(f"{path}: {refused.code.value}; the labelled photos must be whole") from refused
    return photos


def count_metrics(photos: Sequence[LabelledPhoto], found: Sequence[Sequence[DetectedPerson]], rule: DetectorDecision) -> Metrics:
    """How often 0, 1 or 2+ people are told rightly: over all, by true count and by source."""
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
    photos: Sequence[LabelledPhoto], found: Sequence[Sequence[DetectedPerson]], single: Sequence[Sequence[DetectedPerson]]
) -> DetectorDecision:
    """Chooses the score threshold and the duplicates' overlap on validation data; the size rule stays the original's.

    Args:
        photos: labelled photos.
        found: detections in them, down to `SCORE_FLOOR`.
        single: detections in photos that show one person each (portraits); may be empty.

    The best choice maximises the mean of the accuracy, the balanced accuracy and, with portraits, the share of those answered.
    """

    def value(rule: DetectorDecision) -> float:
        metrics = count_metrics(photos, found, rule)
        scores = [metrics["accuracy"], float(np.mean(list(metrics["accuracy_by_count"].values())))]
        if single:
            scores.append(float(np.mean([gate(people_that_count(people, rule)) is Code.OK for people in single])))
        return float(np.mean(scores))

    rules = [
        DetectorDecision(score_threshold=round(float(threshold), 3), max_overlap=overlap)
        for threshold, overlap in product(np.arange(0.1, 0.8, 0.01), (0.5, 0.6, 0.7, 0.8))
    ]
    best = max(rules, key=value)
    logger.info("chosen on validation: %s, value %.4f", best, value(best))
    return best


def sample_by_source(people: Sequence[LabelledPerson], most: int) -> list[LabelledPerson]:
    """At most that many of each source, drawn with a fixed seed."""
    sample: list[LabelledPerson] = []
    for source in sorted({person.source for person in people}):
        part = [person for person in people if person.source == source]
        sample += random.Random(0).sample(part, min(most, len(part)))  # noqa: S311 - nothing secret
    return sample


# --- the classifier -----------------------------------------------------------------------------------------------------------


def choose_classifier_decision(people: Sequence[LabelledPerson], detector: Detector, classifier: Classifier) -> ClassifierDecision:
    """Chooses the crop and fits the temperature on validation photos that the gate lets through.

    The crop with the best balanced accuracy, averaged over the sources, wins; the temperature minimises the negative log-likelihood.

    Raises:
        InputError: there is no such photo, or a file cannot be read.
    """
    answered: list[LabelledPerson] = []
    photos: list[RGB] = []
    for part in _batches(people):
        decoded = _decoded([person.path for person in part])
        for person, photo, found in zip(part, decoded, detector(decoded), strict=True):
            counted = people_that_count(found, detector.decision)
            if gate(counted) is Code.OK:
                answered.append(replace(person, box=counted[0].box))
                photos.append(photo)
    if not photos:
        raise InputError("the gate lets no validation photo through: the classifier cannot be judged with this detector")
    choices: list[tuple[float, ClassifierDecision, torch.Tensor]] = []
    for margin, aspect in product((0.0, 0.1, 0.2), (1.0, 1.5, 10.0)):
        spec = replace(classifier.crop_spec, margin=margin, aspect=aspect)
        crops = [crop_person(photo, person.box, spec) for photo, person in zip(photos, answered, strict=True)]
        logits = torch.from_numpy(np.concatenate([classifier.logits(part) for part in _batches(crops, "crop")]))
        value = _mean_balanced_accuracy(answered, classifier.label_names, logits)
        logger.info("crop margin %.2f, aspect %.2f: balanced accuracy %.4f", margin, aspect, value)
        choices.append((value, classifier.decision.model_copy(update={"crop_margin": margin, "crop_aspect": aspect}), logits))
    _, decision, logits = max(choices, key=lambda choice: choice[0])
    targets = torch.tensor([classifier.label_names.index(person.label) for person in answered])
    return decision.model_copy(update={"temperature": fit_temperature(logits, targets)})


def _mean_balanced_accuracy(people: Sequence[LabelledPerson], labels: Sequence[str], logits: torch.Tensor) -> float:
    predicted = np.array(labels)[logits.argmax(-1).numpy()]
    truth, sources = np.array([p.label for p in people]), np.array([p.source for p in people])
    return float(np.mean([np.mean(list(_recall(truth[sources == s], predicted[sources == s]).values())) for s in np.unique(sources)]))


def _recall(truth: Labels, predicted: Labels) -> dict[str, float]:
    """By label that occurs in `truth`; their mean is the balanced accuracy."""
    return {str(label): float((predicted[truth == label] == label).mean()) for label in np.unique(truth)}


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017); logits (n, classes), targets (n,).

    It stays between 1 / `MAX_TEMPERATURE` and `MAX_TEMPERATURE`: for few photos that are all right, or mostly wrong, there is no least.
    """
    logits = logits.clone()
    log_temperature = torch.zeros((), requires_grad=True)
    bound = math.log(MAX_TEMPERATURE)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def temperature() -> torch.Tensor:
        return log_temperature.clamp(-bound, bound).exp()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / temperature(), targets)
        loss.backward()
        return loss

    optimizer.step(closure)
    return round(temperature().item(), 4)


def outcomes(people: Sequence[LabelledPerson], pipeline: Pipeline) -> list[Outcome]:
    """What the pipeline says of each photo."""
    return [outcome for part in _batches(people) for outcome in pipeline([person.path.read_bytes() for person in part])]


def answer_metrics(people: Sequence[LabelledPerson], results: Sequence[Outcome]) -> Metrics:
    """How many photos are answered, and how right the answers are, by source and label."""
    return {source: _source_metrics(*_select(people, results, source)) for source in sorted({person.source for person in people})}


def _select(people: Sequence[LabelledPerson], results: Sequence[Outcome], source: str) -> tuple[list[LabelledPerson], list[Outcome]]:
    chosen = [(person, result) for person, result in zip(people, results, strict=True) if person.source == source]
    return [person for person, _ in chosen], [result for _, result in chosen]


def _source_metrics(people: Sequence[LabelledPerson], results: Sequence[Outcome]) -> Metrics:
    codes = [result.code for result in results]
    metrics: Metrics = {
        "photos": len(people),
        "answered": codes.count(Code.OK) / len(people),
        "codes": {code.value: codes.count(code) for code in sorted(set(codes))},
    }
    pairs = [(person.label, result) for person, result in zip(people, results, strict=True) if result.probabilities]
    if not pairs:
        return metrics
    truth = np.array([label for label, _ in pairs])
    predicted = np.array([result.prediction for _, result in pairs])
    female = np.array([result.probabilities["female"] for _, result in pairs if result.probabilities])
    confidence = np.maximum(female, 1 - female)
    recall = _recall(truth, predicted)
    return metrics | {
        "accuracy": float((truth == predicted).mean()),
        "balanced_accuracy": float(np.mean(list(recall.values()))),
        "recall": recall,
        "roc_auc": float(roc_auc_score(truth == "female", female)) if len(recall) == 2 else None,
        "expected_calibration_error": expected_calibration_error(confidence, truth == predicted),
    }


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over equal-width bins (Naeini et al. 2015)."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(sum(abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean() for b in np.unique(index)))


# --- files --------------------------------------------------------------------------------------------------------------------


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_metrics(folder: Path, metrics: Metrics, sources: Iterable[str]) -> None:
    """Writes `metrics.json` with the digest of the weights that it speaks of and the data that it was measured on."""
    document = {"weights_sha256": sha256_of(folder / MODEL_FILE), "data": list(sources), **metrics}
    (folder / METRICS_FILE).write_text(json.dumps(_rounded(document), indent=2) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _batches(rows: Sequence[Row], what: str = "photo") -> Iterator[Sequence[Row]]:
    with tqdm(total=len(rows), unit=what, disable=None) as bar:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            yield part
            bar.update(len(part))

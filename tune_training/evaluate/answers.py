"""The answers of the pipeline as served, for labelled photos; cached by pair of models and content of the photo.

Refusals (nobody or several people seen, no image) count: the share of photos that is answered is part of the result.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from serve_app.checkpoints.card import weights_sha256
from serve_app.codes import Code
from serve_app.runtimes.base import FEMALE
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import brightness_of
from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson, gate, people_that_count
from serve_app.vision.pipeline import Outcome, Pipeline
from tune_training.data.photo import Photo
from tune_training.evaluate.scores import Judged
from tune_training.io import storage
from tune_training.io.batches import batches
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits, decoding, network_versions, person_rule

logger = logging.getLogger(__name__)


class GatedPhoto(NamedTuple):
    """A photo, and whether the person rule lets it through to the classifier.

    Attributes:
        code: OK, or why it is refused.
        pixels: (H, W, 3) uint8; None for what is no photo.
        person: the one in it, if the code is OK.
    """

    photo: Photo
    code: Code
    pixels: RGB | None = None
    person: DetectedPerson | None = None


def gated(photos: Sequence[Photo], detector: Detector) -> Iterator[GatedPhoto]:
    """Applies detector and person rule to the photos, lazily and a batch at a time; the order within a batch may change."""
    for part in batches(photos, doing="finding people"):
        decoded = []
        for photo in part:
            try:
                decoded.append((photo, decode(storage.read_bytes(photo.uri), decode_limits())))
            except ImageRefused as refused:
                logger.warning("%s is left out: %s", photo.uri, refused.code.value)
                yield GatedPhoto(photo, refused.code)
        for (photo, pixels), found in zip(decoded, detector([pixels for _, pixels in decoded]), strict=True):
            people = people_that_count(found, detector.decision)
            code = gate(people)
            yield GatedPhoto(photo, code, pixels, people[0] if code is Code.OK else None)


def answers_folder() -> Path:
    """Where this machine caches answers."""
    return get_settings().model_cache_dir.expanduser() / "answers"


class RawAnswer(NamedTuple):
    """A code and, if it is `ok`, the logit of female less the logit of male, before any temperature, and what the person looks like.

    Attributes:
        area: of the person's box, as a share of the photo; None where an earlier version has cached the answer.
        brightness: of the crop; likewise.
    """

    code: Code
    margin: float | None
    area: float | None = None
    brightness: float | None = None


class AnswerCache:
    """Answers of one pair of models by the sha256 of the photo, in a file that each batch is appended to, so a killed run loses none."""

    def __init__(self, folder: Path, detector: Detector, classifier: Classifier) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{_pair(detector, classifier)}.jsonl"
        self._known: dict[str, RawAnswer] = {}
        lines = self._path.read_text(encoding="ascii").split("\n") if self._path.exists() else []
        for line in lines[:-1]:  # what follows the last newline was cut off by a crash
            try:
                sha256, code, *rest = json.loads(line)
                self._known[sha256] = RawAnswer(Code(code), *rest)
            except (ValueError, TypeError):  # two processes wrote at once
                continue

    def get(self, sha256: str) -> RawAnswer | None:
        """The answer for this photo, if it is cached."""
        return self._known.get(sha256)

    def add(self, answers: dict[str, RawAnswer]) -> None:
        """Caches answers by sha256."""
        self._known |= answers
        lines = "".join(json.dumps([sha256, *answer]) + "\n" for sha256, answer in answers.items())
        with self._path.open("a", encoding="ascii") as file:
            file.write(lines)


def _pair(detector: Detector, classifier: Classifier) -> str:
    """A digest of all that determines a raw answer but the photo: both models, the person rule, the crop, and what decodes and computes.

    The temperature and `min_confidence` are applied later.
    """
    files = [(classifier.checkpoint.path / name).read_bytes() for name in ("config.json", "preprocessor_config.json")]
    parts = [
        detector.checkpoint.revision,
        detector.decision.model_dump_json(),
        weights_sha256(classifier.checkpoint.path),
        *(hashlib.sha256(content).hexdigest() for content in files),
        repr(classifier.crop_spec),
        decoding(),
        person_rule(),
        network_versions(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def judge(photos: Sequence[Photo], detector: Detector, classifier: Classifier, cache_dir: Path, doing: str = "evaluating") -> Judged:
    """Runs the pipeline on each photo whose answer is not cached.

    Raises:
        InputError: a photo has changed since the manifest was made.
        OSError: a photo cannot be read.
    """
    cache = AnswerCache(cache_dir, detector, classifier)
    asked = _Asked(classifier)
    pipeline = Pipeline(detector, cast(Classifier, asked), decode_limits())
    known = [cache.get(photo.sha256) if photo.sha256 else None for photo in photos]
    todo = [index for index, answer in enumerate(known) if answer is None]
    for part in batches(todo, doing=doing, done=len(photos) - len(todo)):
        images = [storage.read_bytes(photos[index].uri) for index in part]
        digests = [hashlib.sha256(image).hexdigest() for image in images]
        for index, digest in zip(part, digests, strict=True):
            if photos[index].sha256 not in ("", digest):
                raise InputError(f"{photos[index].uri}: the photo has changed since the manifest was made. Run `prepare` again")
        new = {digest: image for digest, image in zip(digests, images, strict=True) if cache.get(digest) is None}
        outcomes = pipeline(list(new.values()))
        crops = iter(zip(asked.margins, asked.brightness, strict=True))
        cache.add({digest: _raw(outcome, crops) for digest, outcome in zip(new, outcomes, strict=True)})
        for index, digest in zip(part, digests, strict=True):
            known[index] = cache.get(digest)
    answers = [answer for answer in known if answer is not None]
    return Judged(
        np.array([photo.label == FEMALE for photo in photos], dtype=bool),
        [answer.code for answer in answers],
        np.array([math.nan if answer.margin is None else answer.margin for answer in answers], dtype=np.float64),
        classifier.decision.temperature,
        [(answer.area, answer.brightness) for answer in answers],
    )


def _raw(outcome: Outcome, crops: Iterator[tuple[float, float]]) -> RawAnswer:
    """The answer of an outcome; the next crop's margin and brightness are its, if there is one."""
    if outcome.probabilities is None:
        return RawAnswer(outcome.code, None)
    margin, brightness = next(crops)
    # The model answered, also where `min_confidence` makes the service unsure: that is chosen on these margins.
    return RawAnswer(Code.OK, margin, round(outcome.people[0].area, 4), round(brightness, 4))


class _Asked:
    """A classifier that keeps the margins, and the brightness, of the crops it was asked about last.

    They come from the logits: confident probabilities are so close to 0 and 1 that they cannot be told apart.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.decision = classifier.decision
        self.crop_spec = classifier.crop_spec
        self.margins: list[float] = []
        self.brightness: list[float] = []

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self.margins, self.brightness = [], [brightness_of(crop) for crop in crops]
        if not crops:
            return []
        logits = self._classifier.logits(crops)
        self.margins = self._classifier.margins(logits).tolist()
        return self._classifier.calibrated(logits)

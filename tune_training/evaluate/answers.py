"""What the pipeline as served says of labelled photos. Each photo is asked once for each pair of models, and remembered by its content.

Photos that are refused (nobody or several people seen, no image) are answers too: the share that is answered is part of the result.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serve_app.codes import Code
from serve_app.runtimes.base import FEMALE, LABELS
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.pipeline import Outcome, Pipeline
from tune_training.data.photo import Photo
from tune_training.evaluate.metrics_file import weights_sha256
from tune_training.evaluate.scores import Judged
from tune_training.io import storage
from tune_training.io.batches import batches
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits

_SMALLEST = 1e-45  # of a float32: a probability of zero stands for less than this


class RawAnswer(NamedTuple):
    """A code and, with `ok`, the logit of female less the logit of male, before any temperature."""

    code: Code
    margin: float | None


class AnswerCache:
    """Answers of one pair of models by the sha256 of the photo, in a file that grows with each batch: what was asked is never lost."""

    def __init__(self, folder: Path, detector: Detector, classifier: Classifier) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{_pair(detector, classifier)}.jsonl"
        self._known: dict[str, RawAnswer] = {}
        lines = self._path.read_text(encoding="ascii").split("\n") if self._path.exists() else []
        for line in lines[:-1]:  # whatever follows the last line's end was cut off by a crash
            try:
                sha256, code, margin = json.loads(line)
            except ValueError:  # two processes have written at once
                continue
            self._known[sha256] = RawAnswer(Code(code), margin)

    def get(self, sha256: str) -> RawAnswer | None:
        """The answer for this photo, if it was asked before."""
        return self._known.get(sha256)

    def add(self, answers: dict[str, RawAnswer]) -> None:
        """Remembers answers by sha256."""
        self._known |= answers
        lines = "".join(json.dumps([sha256, *answer]) + "\n" for sha256, answer in answers.items())
        with self._path.open("a", encoding="ascii") as file:
            file.write(lines)


def _pair(detector: Detector, classifier: Classifier) -> str:
    """What decides a raw answer: the detector with its rule, and all of the classifier but its temperature."""
    files = [(classifier.checkpoint.path / name).read_bytes() for name in ("config.json", "preprocessor_config.json")]
    parts = [
        detector.checkpoint.revision,
        detector.decision.model_dump_json(),
        weights_sha256(classifier.checkpoint.path),
        *(hashlib.sha256(content).hexdigest() for content in files),
        repr(classifier.crop_spec),
        repr(decode_limits()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def judge(photos: Sequence[Photo], detector: Detector, classifier: Classifier, cache_dir: Path, doing: str = "judging") -> Judged:
    """Asks the pipeline about each photo that is not in the cache.

    Raises:
        InputError: a photo is not what it was when the manifest was made.
        OSError: a photo cannot be read.
    """
    cache = AnswerCache(cache_dir, detector, classifier)
    pipeline = Pipeline(detector, classifier, decode_limits())
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
        cache.add({digest: _raw(outcome, classifier) for digest, outcome in zip(new, outcomes, strict=True)})
        for index, digest in zip(part, digests, strict=True):
            known[index] = cache.get(digest)
    answers = [answer for answer in known if answer is not None]
    return Judged(
        np.array([photo.label == FEMALE for photo in photos], dtype=bool),
        [answer.code for answer in answers],
        np.array([math.nan if answer.margin is None else answer.margin for answer in answers], dtype=np.float64),
        classifier.decision.temperature,
    )


def _raw(outcome: Outcome, classifier: Classifier) -> RawAnswer:
    if outcome.probabilities is None:
        return RawAnswer(outcome.code, None)
    female, male = (max(outcome.probabilities[label], _SMALLEST) for label in LABELS)
    return RawAnswer(outcome.code, classifier.decision.temperature * (math.log(female) - math.log(male)))

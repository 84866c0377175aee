"""Chooses how the person is cropped for a classifier, on validation photos."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.base import FEMALE
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import crop_person
from serve_app.vision.detector import Detector
from tune_training.data.photo import Photo
from tune_training.evaluate.answers import gated
from tune_training.evaluate.scores import balanced_accuracy
from tune_training.io.batches import batches
from tune_training.io.errors import InputError

logger = logging.getLogger(__name__)

MARGINS = (0.0, 0.1, 0.2)
ASPECTS = (1.0, 1.5, 10.0)


def best_crop(photos: Sequence[Photo], detector: Detector, classifier: Classifier) -> ClassifierDecision:
    """The classifier's decision with the crop that has the best balanced accuracy, averaged over the sources.

    Raises:
        InputError: the person rule lets no photo through.
    """
    people = [(photo, pixels, person) for photo, _, pixels, person in gated(photos, detector) if pixels is not None and person is not None]
    if not people:
        raise InputError("the person rule lets no validation photo through: the classifier cannot be evaluated with this detector")
    female = np.array([photo.label == FEMALE for photo, _, _ in people])
    sources = np.array([photo.source for photo, _, _ in people])
    values: dict[tuple[float, float], float] = {}
    for margin, aspect in product(MARGINS, ASPECTS):
        spec = replace(classifier.crop_spec, margin=margin, aspect=aspect)
        crops = [crop_person(pixels, person, spec) for _, pixels, person in people]
        logits = np.concatenate([classifier.logits(part) for part in batches(crops, "crop", f"margin {margin:g}, aspect {aspect:g}")])
        margins = classifier.margins(logits)
        by_source = [balanced_accuracy(female[sources == source], margins[sources == source]) for source in np.unique(sources)]
        values[margin, aspect] = float(np.mean(by_source))
        logger.info("crop margin %.2f, aspect %.2f: balanced accuracy %.4f", margin, aspect, values[margin, aspect])
    margin, aspect = max(values, key=values.__getitem__)
    return classifier.decision.model_copy(update={"crop_margin": margin, "crop_aspect": aspect})

"""What a trial reports."""

import numpy as np
import pytest

from tune_training.classification_data import WHOLE_PHOTO, Example
from tune_training.crops import Crops
from tune_training.train_classifier import TrainingData
from tune_training.trial import METRICS, validation_metrics

FEMALE, MALE = (4.0, 0.0), (0.0, 4.0)  # logits, columns as in LABELS


def data(*photos: tuple[str, str]) -> TrainingData:
    examples = [Example(f"{number}.jpg", label, source, WHOLE_PHOTO, str(number)) for number, (label, source) in enumerate(photos)]
    return TrainingData(examples, Crops(np.zeros((len(examples), 1, 1, 3), np.uint8), 1))


def test_all_metrics_are_reported() -> None:
    assert validation_metrics(np.array([FEMALE, MALE]), data(("female", "a"), ("male", "a"))).keys() == METRICS.keys()


def test_each_source_counts_the_same_in_the_mean_over_sources() -> None:
    photos = data(*[("female", "large"), ("male", "large")] * 4, ("female", "small"), ("male", "small"))
    guesses = np.array([FEMALE, MALE] * 4 + [FEMALE, FEMALE])  # one of ten is wrong, the only man of the small source
    metrics = validation_metrics(guesses, photos)
    assert metrics["mean_over_sources"] == pytest.approx((1.0 + 0.5) / 2)
    assert metrics["balanced_accuracy"] == pytest.approx((1.0 + 0.8) / 2)


def test_a_source_of_one_label_counts_by_that() -> None:
    metrics = validation_metrics(np.array([FEMALE, MALE, MALE]), data(("female", "a"), ("male", "a"), ("female", "women")))
    assert metrics["mean_over_sources"] == pytest.approx(0.5)

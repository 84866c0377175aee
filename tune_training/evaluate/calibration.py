"""Whether confidence is accuracy: temperature scaling, and the distance between the two."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 15
MAX_TEMPERATURE = 20.0


class Bin(TypedDict):
    """A bar of the reliability diagram: the answers whose confidence lies between `low` and `high`."""

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


def probability_of_female(margins: Floats, temperature: float) -> Floats:
    """The calibrated probability; `margins` are the logit of female less the logit of male."""
    probabilities: Floats = 1 / (1 + np.exp(-np.clip(margins / temperature, -700, 700)))
    return probabilities


def fit_temperature(margins: Floats, female: Bools, weights: Floats | None = None) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017, On Calibration of Modern Neural Networks).

    It stays between 1 / `MAX_TEMPERATURE` and `MAX_TEMPERATURE`: if all answers are right, or most are wrong, there is no minimum.

    Args:
        margins: the logit of female less the logit of male, (n,).
        female: the labels, (n,).
        weights: of the answers, (n,), see `balanced_weights`; None: all count the same.
    """
    from scipy.optimize import minimize_scalar  # takes a second, which `--help` saves

    bound = np.log(MAX_TEMPERATURE)
    best = minimize_scalar(
        lambda log_temperature: negative_log_likelihood(margins, female, float(np.exp(log_temperature)), weights),
        bounds=(-bound, bound),
        method="bounded",
    )
    return round(float(np.exp(best.x)), 4)


def negative_log_likelihood(margins: Floats, female: Bools, temperature: float, weights: Floats | None = None) -> float:
    """Weighted mean over the answers, in nats."""
    towards_label = np.where(female, margins, -margins) / temperature
    return float(np.average(np.logaddexp(0, -towards_label), weights=weights))


def expected_calibration_error(confidence: Floats, right: Bools, bins: int = BINS, weights: Floats | None = None) -> Floats:
    """Mean distance between confidence and accuracy over equal-width bins (Naeini et al. 2015); (..., n) in, (...) out."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = np.ones(confidence.shape) if weights is None else weights
    difference = (np.where(right, 1.0, 0.0) - confidence) * weights
    total = np.zeros(confidence.shape[:-1])
    for each in range(bins):
        total = total + np.abs((difference * (index == each)).sum(-1))
    error: Floats = total / weights.sum(-1)
    return error


def reliability(confidence: Floats, right: Bools, bins: int = BINS, weights: Floats | None = None) -> Sequence[Bin]:
    """The non-empty bins of the calibration error; `answers` counts, confidence and accuracy are weighted means."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = np.ones(len(confidence)) if weights is None else weights
    return [
        Bin(
            low=each / bins,
            high=(each + 1) / bins,
            answers=int((index == each).sum()),
            confidence=float(np.average(confidence[index == each], weights=weights[index == each])),
            accuracy=float(np.average(right[index == each], weights=weights[index == each])),
        )
        for each in np.unique(index).tolist()
    ]

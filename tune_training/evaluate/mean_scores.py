"""Scores in which framings, sources and labels count the same, however many photos there are of each (see `weighting`)."""

import numpy as np
from numpy.typing import NDArray

from tune_training.evaluate.calibration import Floats, expected_calibration_error, reliability
from tune_training.evaluate.scores import DRAWS, Judged, Metrics, estimates
from tune_training.evaluate.weighting import Names, balanced_weights


def mean_scores(answers: Judged, framings: Names, sources: Names, draws: int = DRAWS) -> Metrics:
    """The scores of at least one answer, (n,); no photo without an answer.

    Returns:
        `mean_balanced_accuracy`: of each source, averaged over the sources of each framing, and then over the framings; `mean_ece`: the
        calibration error with the same weights. Both are `Estimate`s.
    """
    weights = balanced_weights(framings, sources, answers.female)
    right, confidence = answers.right, answers.confidence

    def values(photos: NDArray[np.int_], axis: int = -1) -> Floats:
        drawn = weights[photos]
        accuracy = (right[photos] * drawn).sum(-1) / drawn.sum(-1)  # with equal weights of labels, the balanced one
        return np.stack([accuracy, expected_calibration_error(confidence[photos], right[photos], weights=drawn)])

    accuracy, error = estimates(values, np.arange(len(weights)), draws=draws)
    return {"mean_balanced_accuracy": accuracy, "mean_ece": error}


def framing_scores(answers: Judged, framings: Names, sources: Names, draws: int = DRAWS) -> Metrics:
    """By framing: the number of answers, their `mean_scores`, and the bars of the reliability diagram with the same weights."""
    found: Metrics = {}
    for framing in np.unique(framings).tolist():
        inside = framings == framing
        part = answers.only(inside)
        weights = balanced_weights(sources[inside], part.female)
        found[framing] = {
            "answers": len(part.codes),
            **mean_scores(part, framings[inside], sources[inside], draws),
            "reliability": reliability(part.confidence, part.right, weights=weights),
        }
    return found

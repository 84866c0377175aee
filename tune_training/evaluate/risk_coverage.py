"""Selective classification: with a threshold on confidence, the share of photos that get an answer, and the share of wrong answers.

Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks. Coverage is of all photos: a refused one, in which nobody or
several people were seen, is not covered at any threshold.
"""

from dataclasses import dataclass

import numpy as np

from serve_app.checkpoints.decision import DECISION_FILE
from tune_training.data.manifest import VAL
from tune_training.evaluate.calibration import Floats
from tune_training.evaluate.scores import Estimate, Judged, Metrics, share

CURVE_POINTS = 50


@dataclass(frozen=True)
class Curve:
    """From the most confident answers alone to all of them; all arrays have one item for each confidence that occurs.

    Attributes:
        threshold: answers with at least this confidence are given.
        coverage: the share of all photos that get an answer.
        risk: the share of wrong ones among those answers.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """Mean risk over the coverages that occur (AURC): lower is better."""
        steps = np.diff(self.coverage, prepend=0.0)
        return float((self.risk * steps).sum() / steps.sum()) if len(steps) else 0.0

    def threshold_for(self, error_rate: float) -> float | None:
        """The lowest threshold at which no more than `error_rate` of the answers are wrong; None if there is none."""
        allowed = np.flatnonzero(self.risk <= error_rate)
        return float(self.threshold[allowed[-1]]) if len(allowed) else None


def risk_coverage(judged: Judged) -> Curve:
    """The curve of a set of photos; empty if none is answered."""
    answered = judged.answered
    confidence, wrong = judged.confidence[answered], ~judged.right[answered]
    order = np.argsort(-confidence, kind="stable")
    confidence, wrong = confidence[order], wrong[order]
    last_of_equals = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], True)) if len(confidence) else np.zeros(0, int)
    given = np.arange(1, len(confidence) + 1)
    risk = np.cumsum(wrong) / given
    return Curve(confidence[last_of_equals], given[last_of_equals] / len(judged.codes), risk[last_of_equals])


def at_threshold(judged: Judged, threshold: float) -> tuple[Estimate, Estimate | None]:
    """Coverage and risk of the answers with at least this confidence; no risk if there are none."""
    given = judged.answered & (np.nan_to_num(judged.confidence, nan=-1.0) >= threshold)
    count = int(given.sum())
    coverage = share(count, len(judged.codes))
    return coverage, share(int((given & ~judged.right).sum()), count) if count else None


def selection(judged: Judged, threshold: float) -> Metrics:
    """Coverage and risk at a threshold, of all photos and of those of each label; at least one photo."""

    def measured(photos: Judged) -> Metrics:
        return dict(zip(("coverage", "risk"), at_threshold(photos, threshold), strict=True))

    return measured(judged) | {"by_label": {label: measured(photos) for label, photos in judged.by_label.items()}}


def selective_metrics(judged: Judged, validation: Judged | None, error_rate: float, min_confidence: float = 0.0) -> Metrics:
    """The curve, and coverage and risk at the threshold that is served with, by label too.

    Without one (`min_confidence` 0), the threshold is the one that keeps the error rate on the validation split, or on these photos if
    that is None.
    """
    curve = risk_coverage(judged)
    threshold = min_confidence or risk_coverage(validation or judged).threshold_for(error_rate)
    points = np.unique(np.linspace(0, len(curve.risk) - 1, CURVE_POINTS).astype(int))
    return {
        "area": curve.area,
        "error_rate": error_rate,
        "threshold": threshold,
        "chosen_on": DECISION_FILE if min_confidence else VAL if validation else "the same photos",
        **({"coverage": None, "risk": None} if threshold is None else selection(judged, threshold)),
        "curve": [[curve.threshold[i], curve.coverage[i], curve.risk[i]] for i in points.tolist()],
    }

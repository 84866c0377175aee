"""Answering only when sure enough: the share of photos that still get an answer, and the share of those answers that are wrong.

Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks. Coverage is of all photos: one that is refused, because
nobody or several people were seen, is not covered at any threshold.
"""

from dataclasses import dataclass

import numpy as np

from tune_training.evaluate.calibration import Floats
from tune_training.evaluate.scores import Estimate, Judged, share


@dataclass(frozen=True)
class Curve:
    """From the surest answers alone to all of them; all arrays have one item for each confidence that occurs.

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
        """Mean risk over the coverages that can be had (AURC): lower is better."""
        steps = np.diff(self.coverage, prepend=0.0)
        return float((self.risk * steps).sum() / steps.sum()) if len(steps) else 0.0

    def threshold_for(self, error_rate: float) -> float | None:
        """The lowest threshold at which no more than `error_rate` of the answers are wrong; None if there is none."""
        fine = np.flatnonzero(self.risk <= error_rate)
        return float(self.threshold[fine[-1]]) if len(fine) else None


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
    """Coverage and risk of the answers with at least this confidence; no risk where there is no answer."""
    given = judged.answered & (np.nan_to_num(judged.confidence, nan=-1.0) >= threshold)
    count = int(given.sum())
    coverage = share(count, len(judged.codes))
    return coverage, share(int((given & ~judged.right).sum()), count) if count else None

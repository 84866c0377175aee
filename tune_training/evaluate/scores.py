"""How good answers are: the standard metrics of a set of photos, each with its 95 % confidence interval.

Intervals of shares (answered, accuracy, recall) are Wilson's (1927). Those of the other metrics are the percentile bootstrap's (Efron
1979): SciPy draws the answered photos with replacement `DRAWS` times, with a fixed seed.

The metrics are computed for many draws at a time: scikit-learn's take one draw at a time, about 4 ms for all of them, which for 1000 draws
of dozens of groups would be minutes. A test compares them with scikit-learn's.

SciPy and scikit-learn are imported where they are used: that takes seconds, which `--help` and a wrong option save.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from tune_training.evaluate.calibration import Bools, Floats, expected_calibration_error, probability_of_female

CONFIDENCE = 0.95
DRAWS = 1000
SEED = 0
_DRAWS_AT_A_TIME = 100  # bounds the memory: 80 MB for each array of 100,000 photos

Metrics = dict[str, Any]


class Estimate(NamedTuple):
    """A metric and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Judged:
    """The answers for a set of photos; all arrays have the shape (photos,).

    Attributes:
        female: the labels.
        codes: the pipeline's, for each photo.
        margins: the logit of female less the logit of male, before any temperature; NaN where there is no answer.
        temperature: logits are divided by it.
        looks: the area of the person and the brightness of the crop of each photo, where they are known; `only` leaves them out.
    """

    female: Bools
    codes: Sequence[Code]
    margins: Floats
    temperature: float = 1.0
    looks: Sequence[tuple[float | None, float | None]] = ()

    @property
    def answered(self) -> Bools:
        """Which photos have an answer."""
        return ~np.isnan(self.margins)

    @property
    def predicted_female(self) -> Bools:
        """The answers; False where there is none."""
        return self.margins >= 0

    @property
    def right(self) -> Bools:
        """Which answers equal the label; False where there is none."""
        right: Bools = (self.predicted_female == self.female) & self.answered
        return right

    @property
    def confidence(self) -> Floats:
        """The probability of the answer; NaN where there is none."""
        return probability_of_female(np.abs(self.margins), self.temperature)

    @property
    def by_label(self) -> dict[str, "Judged"]:
        """The photos of each label that occurs."""
        masks = zip(LABELS, (self.female, ~self.female), strict=True)
        return {label: self.only(chosen) for label, chosen in masks if chosen.any()}

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int_]) -> "Judged":
        """The chosen photos, by mask or by index."""
        positions = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return Judged(self.female[chosen], [self.codes[index] for index in positions], self.margins[chosen], self.temperature)


def share(count: int, total: int) -> Estimate:
    """A share with Wilson's interval."""
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(count / total, float(interval.low), float(interval.high))


def scores(judged: Judged, draws: int = DRAWS) -> Metrics:
    """All metrics of a set of at least one photo, without those that are undefined for it (nobody answered, one label only).

    Returns:
        `photos` and `codes` are counts, `confusion` is [label][answer] in the order of `LABELS`, `recall` is by label, all others are
        `Estimate`s.
    """
    from sklearn.metrics import confusion_matrix

    answered = judged.only(judged.answered)
    count, total = len(answered.codes), len(judged.codes)
    metrics: Metrics = {
        "photos": total,
        "codes": {code.value: number for code, number in sorted(Counter(judged.codes).items())},
        "answered": share(count, total),
    }
    if not count:
        return metrics
    confusion = confusion_matrix(~answered.female, ~answered.predicted_female, labels=[False, True])  # in the order of LABELS
    support = dict(zip(LABELS, confusion.sum(axis=1).tolist(), strict=True))
    names = list(METRICS) if all(support.values()) else ["balanced_accuracy", "ece"]
    return metrics | {
        "accuracy": share(int(confusion.trace()), count),
        **dict(zip(names, bootstrapped(answered, names, draws), strict=True)),
        "recall": {label: share(int(confusion[i, i]), support[label]) for i, label in enumerate(LABELS) if support[label]},
        "confusion": confusion.tolist(),
    }


def calibration_error(judged: Judged, draws: int = DRAWS) -> Estimate:
    """The expected calibration error of at least one answer, with its interval."""
    return bootstrapped(judged.only(judged.answered), ["ece"], draws)[0]


def bootstrapped(answered: Judged, names: Sequence[str], draws: int = DRAWS) -> list[Estimate]:
    """Some of `METRICS`, with their intervals; all photos have an answer."""

    def values(photos: NDArray[np.int_], axis: int = -1) -> Floats:
        female, margins = answered.female[photos], answered.margins[photos]
        return np.stack([METRICS[name](female, margins, answered.temperature) for name in names])

    return estimates(values, np.arange(len(answered.codes)), draws=draws)


def estimates(values: Callable[..., Floats], *samples: NDArray[np.int_], draws: int = DRAWS) -> list[Estimate]:
    """Metrics of samples of photos, with the middle 95 % of what bootstrap draws give; draws without a value (NaN) do not count.

    Args:
        values: indices of photos of each sample, (..., photos), to metrics, (metrics, ...).
        samples: indices of photos; each sample is drawn from on its own.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    measured = values(*samples)
    if min(map(len, samples)) == 1:  # all draws are the same, and SciPy refuses them
        return [Estimate(value, value, value) for value in measured.tolist()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # its own interval has no value if one draw has none
        found = bootstrap(
            samples, values, n_resamples=draws, batch=_DRAWS_AT_A_TIME, vectorized=True, axis=-1, method="percentile", rng=SEED
        )
    low, high = np.nanpercentile(found.bootstrap_distribution, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)], axis=-1)
    return [Estimate(*each) for each in zip(measured.tolist(), low.tolist(), high.tolist(), strict=True)]


# --- metrics of many draws at a time: labels and margins (..., photos), and the temperature, to (...) -------------------------------


def balanced_accuracy(female: Bools, margins: Floats, temperature: float = 1.0) -> Floats:
    """Mean of the recalls of the labels that occur."""
    right = (margins >= 0) == female
    with np.errstate(invalid="ignore"):  # a draw without a label has no recall of it
        recalls = [(label & right).sum(-1) / label.sum(-1) for label in (female, ~female)]
    means: Floats = np.nanmean(recalls, axis=0)
    return means


def _f1(female: Bools, margins: Floats, temperature: float) -> Floats:
    """Mean of the F1 of both labels."""
    right = (margins >= 0) == female
    wrong = (~right).sum(-1)
    hits = np.stack([2 * (label & right).sum(-1) for label in (female, ~female)])
    mean: Floats = (hits / np.maximum(hits + wrong, 1)).mean(axis=0)
    return mean


def _roc_auc(female: Bools, margins: Floats, temperature: float) -> Floats:
    """From the ranks (Mann and Whitney 1947)."""
    from scipy.stats import rankdata

    women, men = female.sum(-1), (~female).sum(-1)
    with np.errstate(invalid="ignore"):  # a draw of one label only has none
        area: Floats = ((rankdata(margins, axis=-1) * female).sum(-1) - women * (women + 1) / 2) / (women * men)
    return area


def _ece(female: Bools, margins: Floats, temperature: float) -> Floats:
    return expected_calibration_error(probability_of_female(np.abs(margins), temperature), (margins >= 0) == female)


METRICS: dict[str, Callable[[Bools, Floats, float], Floats]] = {
    "balanced_accuracy": balanced_accuracy,
    "ece": _ece,
    "f1": _f1,
    "roc_auc": _roc_auc,
}

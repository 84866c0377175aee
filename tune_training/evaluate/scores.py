"""How good answers are: the standard metrics of a set of photos, each with its 95 % confidence interval.

Intervals of shares (answered, accuracy, recall) are Wilson's (1927). Those of the other metrics come from a bootstrap: the answered
photos are drawn with replacement `DRAWS` times, with a fixed seed, and the interval holds the middle 95 % of what comes out (Efron 1979).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score, roc_auc_score

from serve_app.codes import Code
from tune_training.evaluate.calibration import Bools, Floats, expected_calibration_error, probability_of_female

FEMALE, MALE = "female", "male"
ORDER = (FEMALE, MALE)  # of the rows and columns of a confusion matrix

CONFIDENCE = 0.95
DRAWS = 1000
SEED = 0
_LARGEST_DRAW = 2_000_000  # photos that are drawn at a time; bounds the memory

Metrics = dict[str, Any]


class Estimate(NamedTuple):
    """A metric and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Judged:
    """What came out for a set of photos; all arrays have the shape (photos,).

    Attributes:
        female: the labels.
        codes: what the pipeline said of each photo.
        margins: the logit of female less the logit of male, before any temperature; NaN where there is no answer.
        temperature: what logits are divided by.
    """

    female: Bools
    codes: Sequence[Code]
    margins: Floats
    temperature: float = 1.0

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
        """Which answers are the label; False where there is none."""
        right: Bools = (self.predicted_female == self.female) & self.answered
        return right

    @property
    def confidence(self) -> Floats:
        """The probability of the answer; NaN where there is none."""
        return probability_of_female(np.abs(self.margins), self.temperature)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int_]) -> "Judged":
        """The chosen photos, by mask or by index."""
        positions = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return Judged(self.female[chosen], [self.codes[index] for index in positions], self.margins[chosen], self.temperature)


def share(count: int, total: int) -> Estimate:
    """A share with Wilson's interval."""
    interval = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(count / total, float(interval.low), float(interval.high))


def scores(judged: Judged, draws: int = DRAWS) -> Metrics:
    """All metrics of a set of at least one photo; those that cannot be had are left out (nobody answered, one label only).

    Returns:
        `photos` and `codes` are counts, `confusion` is [label][answer] in `ORDER`, `recall` is by label, all others are `Estimate`s.
    """
    answered = judged.only(judged.answered)
    count, total = len(answered.codes), len(judged.codes)
    metrics: Metrics = {
        "photos": total,
        "codes": {code.value: number for code, number in sorted(Counter(judged.codes).items())},
        "answered": share(count, total),
    }
    if not count:
        return metrics
    truth, predicted = _names(answered.female), _names(answered.predicted_female)
    present = [label for label in ORDER if label in truth]
    confusion = confusion_matrix(truth, predicted, labels=ORDER)
    recall = recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    values = {"balanced_accuracy": float(recall.mean()), "ece": float(_ece(answered.female, answered.margins, judged.temperature))}
    if len(present) == len(ORDER):
        values["f1"] = float(f1_score(truth, predicted, labels=ORDER, average="macro", zero_division=0))
        values["roc_auc"] = float(roc_auc_score(answered.female, answered.margins))
    intervals = bootstrap(answered, {name: _RESAMPLED[name] for name in values}, draws)
    return metrics | {
        "accuracy": share(round(accuracy_score(truth, predicted, normalize=False)), count),
        **{name: Estimate(value, *interval(intervals[name])) for name, value in values.items()},
        "recall": {label: share(int(confusion[i, i]), int(confusion[i].sum())) for i, label in enumerate(ORDER) if label in present},
        "confusion": confusion.tolist(),
    }


def calibration_error(judged: Judged, draws: int = DRAWS) -> Estimate:
    """The expected calibration error of at least one answer, with its interval."""
    answered = judged.only(judged.answered)
    value = float(_ece(answered.female, answered.margins, judged.temperature))
    return Estimate(value, *interval(bootstrap(answered, {"ece": _ece}, draws)["ece"]))


def _names(female: Bools) -> list[str]:
    return [FEMALE if each else MALE for each in female]


# --- the bootstrap: each metric for many draws at a time, arrays of the shape (draws, photos) --------------------------------------

Metric = Callable[[Bools, Floats, float], Floats]  # labels, margins and the temperature to one value for each draw


def bootstrap(judged: Judged, metrics: Mapping[str, Metric], draws: int = DRAWS) -> dict[str, Floats]:
    """Each metric of `draws` sets as large as this one, drawn from it with replacement; all photos have an answer."""
    rng = np.random.default_rng(SEED)
    photos = len(judged.codes)
    at_a_time = max(1, _LARGEST_DRAW // photos)
    found: dict[str, list[Floats]] = {name: [] for name in metrics}
    for start in range(0, draws, at_a_time):
        drawn = rng.integers(photos, size=(min(at_a_time, draws - start), photos))
        female, margins = judged.female[drawn], judged.margins[drawn]
        for name, metric in metrics.items():
            found[name].append(metric(female, margins, judged.temperature))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def interval(drawn: Floats) -> tuple[float, float]:
    """The middle 95 % of what was drawn; draws for which a metric has no value do not count."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn[~np.isnan(drawn)], [tail, 100 - tail])
    return float(low), float(high)


def balanced_accuracy(female: Bools, margins: Floats, temperature: float = 1.0) -> Floats:
    """Mean of the recalls of the labels that occur."""
    predicted = margins >= 0
    with np.errstate(invalid="ignore"):  # a draw without a label has no recall of it
        recalls = np.stack([(is_label & (predicted == female)).sum(-1) / is_label.sum(-1) for is_label in (female, ~female)])
    found = ~np.isnan(recalls)
    means: Floats = np.where(found, recalls, 0).sum(0) / found.sum(0)
    return means


def _f1(female: Bools, margins: Floats, temperature: float) -> Floats:
    predicted = margins >= 0
    wrong = (predicted != female).sum(-1)
    both = []
    for true in (female & predicted, ~female & ~predicted):
        hits = 2 * true.sum(-1)
        both.append(hits / np.maximum(hits + wrong, 1))
    mean: Floats = (both[0] + both[1]) / 2
    return mean


def _roc_auc(female: Bools, margins: Floats, temperature: float) -> Floats:
    """From the ranks (Mann and Whitney 1947)."""
    women, men = female.sum(-1), (~female).sum(-1)
    ranks = rankdata(margins, axis=-1)
    with np.errstate(invalid="ignore"):  # a draw of one label only has none
        area: Floats = ((ranks * female).sum(-1) - women * (women + 1) / 2) / (women * men)
    return area


def _ece(female: Bools, margins: Floats, temperature: float) -> Floats:
    return expected_calibration_error(probability_of_female(np.abs(margins), temperature), (margins >= 0) == female)


_RESAMPLED: dict[str, Metric] = {"balanced_accuracy": balanced_accuracy, "f1": _f1, "roc_auc": _roc_auc, "ece": _ece}

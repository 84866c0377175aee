"""Whether a classifier is worse than another on the same photos, by a paired test, so that noise does not decide.

    balanced_accuracy   of the photos that the person rule lets through; likewise `ece`
    worst_group         recall in the group where it is lowest; each model has its own worst group

An answer below a model's `min_confidence` counts as the answer that it would be: otherwise the model that says less would seem better.

The bootstrap draws the same photos for both models, so whatever makes a draw hard or easy for both cancels out in their difference. A
model is worse if the whole 95 % interval of a difference is on the worse side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import LABELS
from tune_training.data.grouping import AGE, grouping
from tune_training.data.photo import Photo
from tune_training.evaluate.calibration import BINS, Bools, Floats
from tune_training.evaluate.groups import RACE
from tune_training.evaluate.scores import DRAWS, Estimate, Judged, estimates
from tune_training.evaluate.weighting import FRAMING

GROUPED_BY = (AGE, RACE, FRAMING)
FEWEST_PHOTOS = 50  # of a group that counts
BALANCED_ACCURACY, ECE, WORST_GROUP = "balanced_accuracy", "ece", "worst_group"
LOWER_IS_BETTER = frozenset({ECE})


@dataclass(frozen=True)
class Comparison:
    """A metric of two models on the same photos.

    Attributes:
        metric: see the top of this module.
        new: its value for the one model; `old` for the other.
        difference: new less old.
        groups: the worst group of the new model and of the old one; empty for other metrics.
    """

    metric: str
    new: float
    old: float
    difference: Estimate
    groups: tuple[str, str] = ("", "")

    @property
    def worse(self) -> bool:
        """Whether the new model is worse, beyond chance."""
        return self.difference.low > 0 if self.metric in LOWER_IS_BETTER else self.difference.high < 0

    def __str__(self) -> str:
        new, old = (
            f"{value:.4f}" + (f" ({group})" if group else "") for value, group in zip((self.new, self.old), self.groups, strict=True)
        )
        interval = f"{self.difference.low:+.4f} to {self.difference.high:+.4f}"
        return f"{self.metric} {new}, the published one has {old}, difference {self.difference.value:+.4f}, 95 % interval {interval}"


def label_groups(photos: Sequence[Photo], fewest: int = FEWEST_PHOTOS) -> dict[str, Bools]:
    """Which photos (n,) are in each group of at least so many: those of a label within a band of age, a race or a framing, where known."""
    groups: dict[str, Bools] = {}
    labels = np.array([photo.label for photo in photos], dtype=np.str_)
    for column in GROUPED_BY:
        names = grouping(column, [photo.columns.get(column, "") for photo in photos])
        for name in sorted(set(names.tolist()) - {""}):
            for label in LABELS:
                members = (names == name) & (labels == label)
                if members.sum() >= fewest:
                    groups[f"{label}, {column} {name}"] = members
    return groups


def compare(new: Judged, old: Judged, groups: Mapping[str, Bools], draws: int = DRAWS) -> list[Comparison]:
    """Compares two models' answers for the same photos, in the same order.

    Nothing is compared if one of them answers nothing; without groups there is no `worst_group`.
    """
    if not (new.answered.any() and old.answered.any()):
        return []
    members = np.stack([*groups.values(), new.female, ~new.female], axis=-1).astype(np.float64)
    measures = [_measures(judged, members) for judged in (new, old)]
    names = [BALANCED_ACCURACY, ECE, *([WORST_GROUP] if groups else [])]

    def values(photos: NDArray[np.int_], axis: int = -1) -> Floats:
        counts = _counts(photos)
        one, other = (np.stack([measure(counts)[name] for name in names]) for measure in measures)
        return np.concatenate([one, other, one - other])

    found = estimates(values, np.arange(len(new.codes)), draws=draws)
    parts = [found[start : start + len(names)] for start in range(0, len(found), len(names))]
    worst = (_worst(new, groups), _worst(old, groups)) if WORST_GROUP in names else ("", "")
    return [
        Comparison(name, one.value, other.value, difference, worst if name == WORST_GROUP else ("", ""))
        for name, one, other, difference in zip(names, *parts, strict=True)
    ]


def _measures(judged: Judged, members: Floats) -> Callable[[Floats], dict[str, Floats]]:
    """From how often each photo was drawn (..., photos) to metrics (...): all of them are ratios of sums over the photos.

    Args:
        members: 1 where a photo is in a group, (photos, groups); the last two groups are the labels.
    """
    answered, right = judged.answered.astype(np.float64), judged.right.astype(np.float64)
    confidence = np.nan_to_num(judged.confidence)
    in_bin = np.minimum((confidence * BINS).astype(int), BINS - 1)[:, None] == np.arange(BINS)
    beyond = (in_bin * ((right - confidence) * answered)[:, None]).astype(np.float64)
    of_answered, of_right = members * answered[:, None], members * right[:, None]

    def measure(counts: Floats) -> dict[str, Floats]:
        with np.errstate(invalid="ignore"):  # in a draw without answers of a group, there is no recall of it
            recalls = (counts @ of_right) / (counts @ of_answered)
            there = ~np.isnan(recalls[..., -2:])
            return {
                BALANCED_ACCURACY: np.where(there, recalls[..., -2:], 0).sum(-1) / there.sum(-1),
                ECE: np.abs(counts @ beyond).sum(-1) / (counts @ answered),
                WORST_GROUP: np.fmin.reduce(recalls[..., :-2], axis=-1, initial=np.inf),
            }

    return measure


def _counts(photos: NDArray[np.int_]) -> Floats:
    """How often each photo is in each draw: indices (..., photos) to (..., photos)."""
    total = photos.shape[-1]
    draws = photos.reshape(-1, total)
    shifted = draws + total * np.arange(len(draws))[:, None]
    return np.bincount(shifted.ravel(), minlength=draws.size).reshape(photos.shape).astype(np.float64)


def _worst(judged: Judged, groups: Mapping[str, Bools]) -> str:
    recalls = {name: judged.right[members].sum() / count for name, members in groups.items() if (count := judged.answered[members].sum())}
    return min(recalls, key=recalls.__getitem__, default="")

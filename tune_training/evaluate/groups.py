"""The same metrics by group: which group fares worst, and how far it is behind the best."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import LABELS
from tune_training.data.grouping import MOST_GROUPS, grouping, number_in
from tune_training.data.table import SOURCE
from tune_training.evaluate.calibration import Floats
from tune_training.evaluate.risk_coverage import selection
from tune_training.evaluate.scores import DRAWS, Judged, Metrics, balanced_accuracy, estimates, scores
from tune_training.evaluate.sure_answers import errors_when_sure
from tune_training.evaluate.weighting import Names

RACE = "race"
FEWEST_ANSWERS = 30  # of a group that may be called worst or best; smaller ones are only listed
FEWEST_OF_A_LABEL = 50  # answers about a label in a group that is judged on its own: with fewer, one wrong one is more than 2 %


def group_columns(columns: Mapping[str, Sequence[str]], wanted: Sequence[str] | None = None) -> dict[str, Names]:
    """The columns to group by: those wanted; by default the source, and all others that make 2 to `MOST_GROUPS` groups."""
    groups = {name: grouping(name, values) for name, values in columns.items() if not wanted or name in wanted}
    if wanted:
        return groups
    fewest = {SOURCE: 1}  # tables name the collection of the photos even if there is only one
    return {name: names for name, names in groups.items() if fewest.get(name, 2) <= len(set(names.tolist()) - {""}) <= MOST_GROUPS}


def by_group(judged: Judged, names: Names, draws: int = DRAWS, threshold: float | None = None) -> Metrics:
    """The metrics of each group, the group with the lowest balanced accuracy, and the largest gap of it between two groups.

    With a threshold on confidence, each group has the coverage and risk at it (`selection`).

    Groups with fewer than `FEWEST_ANSWERS` answers, or with one label only, are never the worst or the best. For the gap's interval both
    groups are resampled independently.
    """
    chosen = {name: judged.only(names == name) for name in _in_order(names)}
    groups = {name: scores(part, draws) | {"errors_when_sure": errors_when_sure(part)} for name, part in chosen.items()}
    if threshold is not None:
        groups = {name: found | {"selection": selection(chosen[name], threshold)} for name, found in groups.items()}
    comparable = {name: found["balanced_accuracy"].value for name, found in groups.items() if _is_comparable(found)}
    result: Metrics = {"groups": groups}
    if len(comparable) < 2:
        return result
    worst, best = min(comparable, key=comparable.__getitem__), max(comparable, key=comparable.__getitem__)

    def differences(high: NDArray[np.int_], low: NDArray[np.int_], axis: int = -1) -> Floats:
        one, other = (balanced_accuracy(judged.female[photos], judged.margins[photos]) for photos in (high, low))
        return np.stack([one - other])

    (gap,) = estimates(differences, *(np.flatnonzero((names == name) & judged.answered) for name in (best, worst)), draws=draws)
    return result | {"worst": worst, "best": best, "gap": gap}


def recalls_by_label(groups: Metrics) -> list[Metrics]:
    """The recall of each label in each of `by_group`'s groups, if it has `FEWEST_OF_A_LABEL` answers or more; the lowest comes first."""
    found = [
        {"label": label, "group": name, "answers": sum(metrics["confusion"][index]), "recall": metrics["recall"][label]}
        for name, metrics in groups.items()
        for index, label in enumerate(LABELS)
        if sum(metrics.get("confusion", [[], []])[index]) >= FEWEST_OF_A_LABEL
    ]
    return sorted(found, key=lambda each: each["recall"].value)


def _is_comparable(metrics: Metrics) -> bool:
    confusion = metrics.get("confusion", [])
    return sum(map(sum, confusion)) >= FEWEST_ANSWERS and all(sum(row) for row in confusion)


def _in_order(names: Names) -> Iterator[str]:
    """Bands by their first number, other names alphabetically; photos without a value are in no group."""

    def key(name: str) -> tuple[float, str]:
        number = number_in(name.rstrip("+").partition("-")[0])
        return (np.inf if number is None else number, name)

    return iter(sorted(set(names.tolist()) - {""}, key=key))

"""The same metrics by group: which group fares worst, and how far it is behind the best."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import LABELS
from tune_training.data.table import SOURCE
from tune_training.evaluate.calibration import Floats
from tune_training.evaluate.risk_coverage import selection
from tune_training.evaluate.scores import DRAWS, Judged, Metrics, balanced_accuracy, estimates, scores
from tune_training.evaluate.sure_answers import errors_when_sure
from tune_training.evaluate.weighting import Names

AGE, RACE = "age", "race"
AGE_BANDS = (0, 13, 20, 30, 40, 50, 60, 70)  # the first year of each; the last band is open
QUARTERS = 4  # of the values of any other number
MOST_GROUPS = 20  # a column with more values identifies photos rather than groups
FEWEST_ANSWERS = 30  # of a group that may be called worst or best; smaller ones are only listed
FEWEST_OF_A_LABEL = 50  # answers about a label in a group that is judged on its own: with fewer, one wrong one is more than 2 %


def grouping(column: str, values: Sequence[str]) -> Names:
    """The group of each photo: its value, or the band that its number lies in; empty where the value is.

    Ages are put in bands of ten years, with bands of their own for children and teenagers; other numbers with many values in quartiles.
    """
    given = [value for value in values if value]
    numbers = [_number(value) for value in given]
    if not given or any(number is None for number in numbers):
        return np.array(values, dtype=np.str_)
    found = np.array(numbers, dtype=np.float64)
    if column == AGE:
        edges = np.array(AGE_BANDS, dtype=np.float64)
    elif len(set(given)) > MOST_GROUPS:
        edges = np.unique(np.quantile(found, np.arange(QUARTERS) / QUARTERS))
    else:
        return np.array(values, dtype=np.str_)
    names = [*(f"{_text(low)}-{_text(high - 1 if column == AGE else high)}" for low, high in pairwise(edges)), f"{_text(edges[-1])}+"]
    bands = np.clip(np.searchsorted(edges, found, side="right") - 1, 0, None)
    named = iter(names[band] for band in bands)
    return np.array([next(named) if value else "" for value in values], dtype=np.str_)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _text(number: float) -> str:
    return f"{number:g}"


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
        number = _number(name.rstrip("+").partition("-")[0])
        return (np.inf if number is None else number, name)

    return iter(sorted(set(names.tolist()) - {""}, key=key))

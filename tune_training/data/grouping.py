"""Groups of photos by what a column says about them: for balance in training, and for evaluation by group."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

AGE = "age"
AGE_BANDS = (0, 13, 20, 30, 40, 50, 60, 70)  # the first year of each; the last band is open
QUARTERS = 4  # of the values of any other number
MOST_GROUPS = 20  # a column with more values identifies photos rather than groups


def grouping(column: str, values: Sequence[str]) -> NDArray[np.str_]:
    """The group of each photo: its value, or the band that its number lies in; empty where the value is.

    Ages are put in bands of ten years, with bands of their own for children and teenagers; other numbers with many values in quartiles.
    """
    given = [value for value in values if value]
    numbers = [number_in(value) for value in given]
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


def number_in(text: str) -> float | None:
    """The finite number that a text is; None for all else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _text(number: float) -> str:
    return f"{number:g}"

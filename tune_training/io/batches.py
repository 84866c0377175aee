"""Long work in parts, with a bar that shows how far it is."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

BATCH = 16

Row = TypeVar("Row")


def batches(rows: Sequence[Row], what: str = "photo", doing: str | None = None, done: int = 0) -> Iterator[Sequence[Row]]:
    """Parts of `BATCH` rows; the bar is on a terminal only.

    Args:
        what: the rows' unit.
        doing: what is written before the bar.
        done: rows that were done before and are part of the bar's whole.
    """
    with tqdm(total=done + len(rows), initial=done, unit=what, desc=doing, disable=None) as bar:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            yield part
            bar.update(len(part))

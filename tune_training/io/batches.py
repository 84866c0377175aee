"""Going over photos in batches: with a progress bar where the models run, and with reads ahead of them where the files are far away."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from serve_app.runtimes.base import has_cuda
from serve_app.settings import get_settings
from tune_training.io import storage
from tune_training.io.errors import InputError

BATCH = 16
READERS = 8  # files that are read at a time: S3 takes a while to answer

Row = TypeVar("Row")


def batches(rows: Sequence[Row], what: str = "photo", doing: str | None = None, done: int = 0) -> Iterator[Sequence[Row]]:
    """Batches of `BATCH` rows, with a progress bar if stderr is a terminal.

    Args:
        what: the rows' unit.
        doing: text before the bar.
        done: rows that were done earlier and count towards the bar's total.
    """
    with tqdm(total=done + len(rows), initial=done, unit=what, desc=doing, disable=None) as bar:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            yield part
            bar.update(len(part))


@dataclass(frozen=True)
class Unread:
    """A file that was not read, which says nothing about the photo in it.

    Attributes:
        cause: for people.
    """

    cause: str


NAME_IS_NO_TEXT = Unread("the name of the file is not UTF-8: rename it")


def describe_unread(causes: Sequence[str]) -> str:
    """How many files were not read, with the commonest causes."""
    common = "; ".join(f"{count}: {cause}" for cause, count in Counter(causes).most_common(3))
    return f"{len(causes)} photos were not read ({common}). The same command tries them again"


class BatchReader:
    """Reads files in batches of the size that suits the device of serving; the next files are read while the first are used."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._batch = 32 if has_cuda(get_settings().device) else 4
        self._readers = ThreadPoolExecutor(READERS)

    def __call__(self, names: Sequence[str]) -> Iterator[list[tuple[str, bytes | Unread]]]:
        """The names, in order, each with the content of its file below the source, or why it cannot be read."""
        contents = zip(names, self._readers.map(self._read, names), strict=True)
        for start in range(0, len(names), self._batch):
            yield [next(contents) for _ in names[start : start + self._batch]]

    def _read(self, name: str) -> bytes | Unread:
        try:
            return storage.read_bytes(storage.join(self._source, name))
        except FileNotFoundError:
            return Unread("the file is not there any more")
        except OSError as error:
            return Unread(f"the file cannot be read ({error.strerror or error})")
        except InputError as error:
            return Unread(str(error))

"""A table of labelled photos, CSV or Parquet: the columns path, label (or gender), and optionally split, source and others."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from tune_training.data.manifest import COLUMNS
from tune_training.data.words import LabelWords, split_of
from tune_training.io import storage
from tune_training.io.errors import InputError

PATH, SPLIT, SOURCE = "path", "split", "source"
_LABELS = ("label", "gender")
_TAKEN = frozenset({PATH, SPLIT, SOURCE, *_LABELS, *COLUMNS})


@dataclass(frozen=True)
class TableRow:
    """A row as it stands: neither the file nor the label is checked.

    Attributes:
        path: absolute, or relative to a folder that is up to the caller.
        label: of what word it may be (see `LabelWords`); a word that is not known is in lower case.
        split: empty if not given; likewise `source`.
        columns: all others, except those that a manifest has itself.
    """

    path: str
    label: str
    split: str = ""
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def read_table(uri: str, words: LabelWords | None = None) -> Sequence[TableRow]:
    """Reads it, local or s3://.

    Raises:
        InputError: it cannot be read, has no rows, or lacks a column.
    """
    words, rows = words or LabelWords(), _rows(uri)
    label = next((name for name in _LABELS if rows and name in rows[0]), None)
    if label is None or PATH not in rows[0]:
        raise InputError(f"{uri!r}: a table needs rows, and the columns {PATH} and {' or '.join(_LABELS)}")
    return [
        TableRow(
            row[PATH],
            words.label_of(row[label]),
            split_of(row.get(SPLIT, "")),
            row.get(SOURCE, ""),
            {name: value for name, value in row.items() if name not in _TAKEN},
        )
        for row in rows
    ]


def _rows(uri: str) -> list[dict[str, str]]:
    kind = "Parquet" if uri.lower().endswith(".parquet") else "CSV"
    try:
        content = storage.read_bytes(uri)
        if kind == "Parquet":
            rows = pq.read_table(pa.BufferReader(content)).to_pylist()
        else:
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), restkey="", restval=""))
    except FileNotFoundError as error:
        raise InputError(f"{uri!r}: there is no such table") from error
    except (ValueError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{uri!r}: it cannot be read as {kind} ({error})") from error
    return [{str(key): "" if value is None else str(value) for key, value in row.items()} for row in rows]

"""The answers of `gender-ask`: as a table to read, or as CSV or JSON lines, which a later run can go on with."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console
from rich.table import Table

from gender_client.models import Answer

Format = Literal["table", "json", "csv"]

COLUMNS = ("file", "code", "prediction", "confidence", "female", "male", "person_count", "error", "request_id")

Row = dict[str, str | int | float | None]


class NotOurs(Exception):
    """A file that is no table of answers."""


def row(file: str, answer: Answer) -> Row:
    """The row of a photo."""
    probabilities = answer.probabilities or {}
    return {
        "file": file,
        "code": str(answer.code),
        "prediction": answer.prediction,
        "confidence": answer.confidence,
        "female": probabilities.get("female"),
        "male": probabilities.get("male"),
        "person_count": answer.person_count,
        "error": answer.error,
        "request_id": answer.request_id,
    }


def refused(file: str, code: str, error: str) -> Row:
    """The row of a file that is no photo that can be read."""
    return dict.fromkeys(COLUMNS) | {"file": file, "code": code, "error": error}


class Writer:
    """Writes rows as they come, each whole on its own line.

    Args:
        out: where to.
        kind: the format; a table is shown at the end.
        heading: whether CSV gets its line of names.
    """

    def __init__(self, out: TextIO, kind: Format, heading: bool = True) -> None:
        self._out = out
        self._kind = kind
        self._csv = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        self._rows: list[Row] = []
        if kind == "csv" and heading:
            self._csv.writeheader()

    def write(self, each: Row) -> None:
        """Writes a row."""
        match self._kind:
            case "csv":
                self._csv.writerow(each)
            case "json":
                self._out.write(json.dumps(each) + "\n")
            case "table":
                self._rows.append(each)
        self._out.flush()

    def close(self) -> None:
        """Shows the table."""
        if self._kind == "table":
            table = Table("file", "answer", "confidence", "people")
            for each in self._rows:
                confidence = f"{each['confidence']:.3f}" if each["prediction"] else ""
                table.add_row(str(each["file"]), str(each["prediction"] or each["error"]), confidence, str(each["person_count"] or ""))
            Console(file=self._out).print(table)


def resume(path: Path, kind: Format) -> set[str]:
    """The files that a table has rows of. What was cut off at its end is cut away.

    Raises:
        NotOurs: it is something else.
        OSError: it cannot be read or written.
    """
    rows = list(_rows(path, kind))
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = Writer(out, kind)
        for each in rows:
            writer.write(each)
    os.replace(partial, path)
    return {str(each["file"]) for each in rows}


def _rows(path: Path, kind: Format) -> Iterator[Row]:
    """The rows that are whole."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    whole = text[: text.rfind("\n") + 1]
    begins = ",".join(COLUMNS) if kind == "csv" else f'{{"{COLUMNS[0]}": '
    if not whole and not begins.startswith(text[: len(begins)]):
        raise NotOurs(f"{path} is no table of gender-ask")
    if kind == "json":
        for line in whole.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if not isinstance(found, dict) or found.keys() != set(COLUMNS):
                raise NotOurs(f"{path} has a line that is no answer of gender-ask")
            yield found
        return
    lines = csv.reader(whole.splitlines(keepends=True))
    if whole and tuple(next(lines)) != COLUMNS:
        raise NotOurs(f"{path} is no table of gender-ask")
    for values in lines:
        if len(values) == len(COLUMNS):  # the last one may have been cut off inside a text with a line break
            yield dict(zip(COLUMNS, values, strict=True))

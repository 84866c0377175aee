"""The answers of `gender-ask`: as a table to read, or as CSV or JSON lines, which a later run can go on with."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console
from rich.table import Table

from gender_client.models import Answer, AnsweredPerson

Format = Literal["table", "json", "csv"]

COLUMNS = ("file", "person", "code", "prediction", "confidence", "female", "male", "person_count", "error", "request_id")

NOT_ASKED = "The service answers about the largest people only."

Row = dict[str, str | int | float | None]


class NotOurs(Exception):
    """A file that is no table of answers."""


def rows(file: str, answer: Answer) -> list[Row]:
    """The row of a photo; where each person was asked for, one for each who was counted, with a number from 1."""
    if not any(isinstance(person, AnsweredPerson) for person in answer.people):
        return [_row(file, answer, answer)]
    of_people = answer.people
    return [
        _row(file, answer, person if isinstance(person, AnsweredPerson) else None, number) for number, person in enumerate(of_people, 1)
    ]


def _row(file: str, answer: Answer, told: Answer | AnsweredPerson | None, person: int | None = None) -> Row:
    probabilities = (told and told.probabilities) or {}
    return {
        "file": file,
        "person": person,
        "code": str(told.code) if told else None,
        "prediction": told.prediction if told else None,
        "confidence": told.confidence if told else None,
        "female": probabilities.get("female"),
        "male": probabilities.get("male"),
        "person_count": answer.person_count,
        "error": told.error if told else NOT_ASKED,
        "request_id": answer.request_id,
    }


def refused(file: str, code: str, error: str) -> list[Row]:
    """The row of a file that is no photo that can be read."""
    return [dict.fromkeys(COLUMNS) | {"file": file, "code": code, "error": error}]


class Writer:
    """Writes rows as they come, each whole on its own line.

    Args:
        out: where to.
        kind: the format; a table is shown at the end, in the order of the files.
        heading: whether CSV gets its line of names.
    """

    def __init__(self, out: TextIO, kind: Format, heading: bool = True) -> None:
        self._out = out
        self._kind = kind
        self._csv = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        self._rows: list[Row] = []
        if kind == "csv" and heading:
            self._csv.writeheader()

    def write(self, of_a_file: Iterable[Row]) -> None:
        """Writes all rows of a file."""
        match self._kind:
            case "csv":
                self._csv.writerows(of_a_file)
            case "json":
                self._out.write("".join(json.dumps(each) + "\n" for each in of_a_file))
            case "table":
                self._rows += of_a_file
        self._out.flush()

    def close(self) -> None:
        """Shows the table."""
        if self._rows:
            table = Table("file", "answer", "confidence", "people")
            for each in sorted(self._rows, key=lambda row: str(row["file"])):
                confidence = f"{each['confidence']:.3f}" if each["prediction"] else ""
                people = f"{each['person']} of {each['person_count']}" if each["person"] else str(each["person_count"] or "")
                table.add_row(str(each["file"]), str(each["prediction"] or each["error"]), confidence, people)
            Console(file=self._out).print(table)


def resume(path: Path, kind: Format) -> dict[str, str]:
    """The files that a table has all rows of, each with the code of its last row. What was cut off at its end is cut away.

    Raises:
        NotOurs: it is something else.
        OSError: it cannot be read or written.
    """
    found = list(_rows(path, kind))
    if found and found[-1]["person"] and str(found[-1]["person"]) != str(found[-1]["person_count"]):
        last = found[-1]["file"]  # some of its people are missing
        found = [each for each in found if each["file"] != last]
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = Writer(out, kind)
        writer.write(found)
    os.replace(partial, path)
    return {str(each["file"]): str(each["code"]) for each in found}


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

"""The table of answers: its columns, its file formats, and what is said of it."""

import csv
import io
import json
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serve_app.codes import Code
from serve_app.runtimes.base import LABELS
from tune_training.io import storage
from tune_training.io.parts import write_parquet

FORMATS = (".parquet", ".csv", ".jsonl")

_PROBABILITIES = pa.struct([(label, pa.float64()) for label in LABELS])
# A person's own answer, where each is asked for; null otherwise, because a table has one schema.
_OWN = {"code": pa.string(), "prediction": pa.string(), "confidence": pa.float64(), "probabilities": _PROBABILITIES}
_PERSON = pa.struct([("box", pa.list_(pa.float64())), ("score", pa.float64()), *_OWN.items()])
# The keys of the service's answers except the request's id, and the file and both models as name@revision.
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("code", pa.string()),
        ("prediction", pa.string()),
        ("confidence", pa.float64()),
        ("probabilities", _PROBABILITIES),
        ("person_count", pa.int32()),
        ("people", pa.list_(_PERSON)),
        ("error", pa.string()),
        ("detector", pa.string()),
        ("classifier", pa.string()),
    ]
)


def is_table(name: str) -> bool:
    """Whether a file of this name can be written."""
    return PurePosixPath(name.lower()).suffix in FORMATS


def write(table: pa.Table, out: str) -> None:
    """Writes the table, local or to s3://, in the format that the name says."""
    if out.lower().endswith(".parquet"):
        write_parquet(table, out)
        return
    text = io.StringIO(newline="")
    rows = rows_of(table)
    if out.lower().endswith(".csv"):
        writer = csv.DictWriter(text, SCHEMA.names, lineterminator="\n")
        writer.writeheader()
        nested = {field.name for field in SCHEMA if pa.types.is_nested(field.type)}
        writer.writerows(
            {key: json.dumps(value) if key in nested and value is not None else value for key, value in row.items()} for row in rows
        )
    else:
        text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    storage.write_bytes(out, text.getvalue().encode())


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, with an answer in `people` only where each was asked for."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for person in row["people"]:
            if person["code"] is None:
                for own in _OWN:
                    del person[own]
    return rows


def causes_of_unread(table: pa.Table) -> list[str]:
    """Why files were not read, for each that was not."""
    causes: list[str] = table.filter(pc.equal(table["code"], Code.NOT_FOUND))["error"].to_pylist()
    return causes


def summary(table: pa.Table) -> str:
    """The number of answers by code and by prediction."""
    codes = Counter(table["code"].to_pylist())
    predictions = Counter(each for each in table["prediction"].to_pylist() if each)
    people = Counter(
        person["prediction"] or person["code"] for each in table["people"].to_pylist() for person in each if person["code"] is not None
    )
    lines = [f"{len(table)} photos"]
    for code, count in codes.most_common():
        more = f" ({', '.join(f'{predictions[label]} {label}' for label in LABELS)})" if code == Code.OK else ""
        lines.append(f"  {code}: {count}{more}")
    if people:
        lines.append(f"{people.total()} people: {', '.join(f'{count} {name}' for name, count in people.most_common())}")
    return "\n".join(lines)

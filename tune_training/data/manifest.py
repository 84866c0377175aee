"""The manifest: the checked photos of a data set, one row each, as Parquet or CSV. `prepare` writes it; all other commands read it."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serve_app.runtimes.base import LABELS
from serve_app.vision.images import Box
from tune_training.io import storage
from tune_training.io.errors import InputError

TRAIN, VAL, TEST = "train", "val", "test"

_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("phash", pa.string()),
        *[(f"box_{edge}", pa.float64()) for edge in ("x0", "y0", "x1", "y1")],
    ]
)
COLUMNS = frozenset(_SCHEMA.names)  # a user's column of one of these names is what it says, or is replaced by what was measured
_KEY = b"prepared"  # of what is said once for all rows: in the metadata of Parquet, in the first line of CSV


@dataclass(frozen=True)
class ManifestRow:
    """One photo that is used.

    Attributes:
        uri: where its bytes are, relative to the manifest's `source`.
        label: one of `serve_app.vision.classifier.LABELS`.
        split: `train`, `val`, `test`, or the name of a further set that is held out.
        source: the collection that it comes from; empty if that is not known.
        width: pixels, upright; likewise `height`.
        bytes: size of the file.
        sha256: of the file, hex.
        phash: perceptual hash (see `near_duplicates`), hex.
        box: [x0, y0, x1, y1] of its one person, relative to the upright photo (0 to 1), as the detector of serving found it; the whole
            photo where there was no person filter.
        columns: what else was known of it (age, race, ...), for evaluation by group.
    """

    uri: str
    label: str
    split: str
    source: str
    width: int
    height: int
    bytes: int
    sha256: str
    phash: str
    box: Box
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """A checked data set.

    Attributes:
        rows: ordered by `uri`.
        source: folder or s3:// prefix that the rows' URIs are relative to.
        detector: revision of the detector that found the boxes; empty without a person filter.
        seed: of the split.
    """

    rows: Sequence[ManifestRow]
    source: str
    detector: str = ""
    seed: int = 0

    def split(self, name: str) -> list[ManifestRow]:
        """The rows of one split.

        Raises:
            InputError: it has none.
        """
        rows = [row for row in self.rows if row.split == name]
        if not rows:
            raise InputError(f"the manifest has no photos of the split {name!r}, only of {sorted(self.splits)}")
        return rows

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of photos by split."""
        return Counter(row.split for row in self.rows)

    def locate(self, row: ManifestRow) -> str:
        """The URI that a row's bytes can be read from."""
        return storage.join(self.source, row.uri)


def write_manifest(manifest: Manifest, uri: str) -> None:
    """Writes Parquet, or CSV when the name ends so; local or s3://."""
    names = list(dict.fromkeys(name for row in manifest.rows for name in row.columns))
    about = json.dumps({"source": manifest.source, "detector": manifest.detector, "seed": manifest.seed})
    records = [_record(row, names) for row in manifest.rows]
    if uri.lower().endswith(".csv"):
        text = io.StringIO(newline="")
        text.write(f"# {about}\n")  # pandas: read_csv(..., comment="#")
        writer = csv.DictWriter(text, [*_SCHEMA.names, *names], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        storage.write_bytes(uri, text.getvalue().encode())
        return
    schema = pa.schema([*_SCHEMA, *[(name, pa.string()) for name in names]], metadata={_KEY: about.encode()})
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records, schema), buffer)
    storage.write_bytes(uri, buffer.getvalue().to_pybytes())


def read_manifest(uri: str) -> Manifest:
    """Reads what `write_manifest` wrote.

    Raises:
        InputError: there is none, or it is none.
    """
    try:
        content = storage.read_bytes(uri)
    except FileNotFoundError as error:
        raise InputError(f"{uri!r}: there is no such manifest. `prepare` writes one") from error
    try:
        about, records = _parse_csv(content) if uri.lower().endswith(".csv") else _parse_parquet(content)
        rows = [_row(record) for record in records]
        manifest = Manifest(rows, about["source"], about["detector"], about["seed"])
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{uri!r}: this is no manifest ({error!r}). `prepare` writes one") from error
    if unknown := {row.label for row in rows} - set(LABELS):
        raise InputError(f"{uri!r}: unknown labels {sorted(unknown)}; known are {sorted(LABELS)}")
    return manifest


def is_manifest(uri: str) -> bool:
    """Whether a file, if there is one, was written by `write_manifest`: other tables of photos end alike."""
    if not storage.exists(uri):
        return False
    content = storage.read_bytes(uri)
    if uri.lower().endswith(".csv"):
        return content.startswith(b"# {")
    try:
        return _KEY in (pq.read_schema(pa.BufferReader(content)).metadata or {})
    except pa.ArrowException:
        return False


def _record(row: ManifestRow, names: Sequence[str]) -> dict[str, Any]:
    record = {name: getattr(row, name) for name in _SCHEMA.names if not name.startswith("box_")}
    return {**record, **dict(zip(_SCHEMA.names[-4:], row.box, strict=True)), **{name: row.columns.get(name, "") for name in names}}


def _row(record: Mapping[str, Any]) -> ManifestRow:
    x0, y0, x1, y1 = (float(record[name]) for name in _SCHEMA.names[-4:])
    return ManifestRow(
        uri=str(record["uri"]),
        label=str(record["label"]),
        split=str(record["split"]),
        source=str(record["source"]),
        width=int(record["width"]),
        height=int(record["height"]),
        bytes=int(record["bytes"]),
        sha256=str(record["sha256"]),
        phash=str(record["phash"]),
        box=(x0, y0, x1, y1),
        columns={name: str(value) for name, value in record.items() if name not in COLUMNS},
    )


def _parse_csv(content: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    first, _, table = content.decode("utf-8").partition("\n")
    return json.loads(first.removeprefix("# ")), list(csv.DictReader(io.StringIO(table)))


def _parse_parquet(content: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    table = pq.read_table(pa.BufferReader(content))
    return json.loads((table.schema.metadata or {})[_KEY]), table.to_pylist()

"""The manifest: the checked photos of a data set, one row each, as Parquet or CSV. `prepare` writes it; all other commands read it."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serve_app.runtimes.base import LABELS
from serve_app.vision.images import Box
from tune_training.data.photo import Photo
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
        *[(f"{part}_{edge}", pa.float64()) for part in ("box", "head") for edge in ("x0", "y0", "x1", "y1")],  # no head: null
    ]
)
_BOX, _HEAD = _SCHEMA.names[-8:-4], _SCHEMA.names[-4:]
COLUMNS = frozenset(_SCHEMA.names)  # names that further columns cannot have
_KEY = b"prepared"  # of the facts about the whole data set: in the metadata of Parquet, in the first line of CSV


@dataclass(frozen=True)
class Manifest:
    """A labelled data set.

    Attributes:
        photos: ordered by name if `prepare` checked them.
        source: folder or s3:// prefix that their names are relative to.
        detector: revision of the detector that found the boxes; empty without a person filter.
        seed: of the split.
    """

    photos: Sequence[Photo]
    source: str
    detector: str = ""
    seed: int = 0

    def split(self, name: str) -> list[Photo]:
        """The photos of one split.

        Raises:
            InputError: it has none.
        """
        photos = [photo for photo in self.photos if photo.split == name]
        if not photos:
            raise InputError(f"{self.name}: there are no photos of the split {name!r}, only of {', '.join(sorted(self.splits))}")
        return photos

    @property
    def name(self) -> str:
        """What reports call it: the last part of its source, because reports travel and full paths are private."""
        return PurePosixPath(self.source.replace("\\", "/")).name or self.source

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of photos by split."""
        return Counter(photo.split for photo in self.photos)


def write_manifest(manifest: Manifest, uri: str) -> None:
    """Writes Parquet, or CSV when the name ends so; local or s3://."""
    names = list(dict.fromkeys(name for photo in manifest.photos for name in photo.columns))
    about = json.dumps({"source": manifest.source, "detector": manifest.detector, "seed": manifest.seed})
    records = [_record(photo, names) for photo in manifest.photos]
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
        InputError: the file is missing, or is no manifest.
    """
    try:
        content = storage.read_bytes(uri)
    except FileNotFoundError as error:
        raise InputError(f"{uri!r}: there is no such manifest. `prepare` writes one") from error
    try:
        about, records = _parse_csv(content) if uri.lower().endswith(".csv") else _parse_parquet(content)
        photos = [_photo(about["source"], record) for record in records]
        manifest = Manifest(photos, about["source"], about["detector"], about["seed"])
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{uri!r}: this is no manifest ({error!r}). `prepare` writes one") from error
    if unknown := {photo.label for photo in photos} - set(LABELS):
        raise InputError(f"{uri!r}: unknown labels {sorted(unknown)}; known are {list(LABELS)}")
    return manifest


def is_manifest(uri: str) -> bool:
    """Whether a file exists and was written by `write_manifest`: other tables of photos have the same suffixes."""
    if not storage.exists(uri):
        return False
    content = storage.read_bytes(uri)
    if uri.lower().endswith(".csv"):
        return content.startswith(b"# {")
    try:
        return _KEY in (pq.read_schema(pa.BufferReader(content)).metadata or {})
    except pa.ArrowException:
        return False


def _record(photo: Photo, names: Sequence[str]) -> dict[str, Any]:
    measured = {name: getattr(photo, name) for name in _SCHEMA.names[1:-8]}
    box, head = dict(zip(_BOX, photo.box, strict=True)), dict(zip(_HEAD, photo.head or [None] * 4, strict=True))
    return {"uri": photo.name, **measured, **box, **head, **{name: photo.columns.get(name, "") for name in names}}


def _photo(root: str, record: Mapping[str, Any]) -> Photo:
    return Photo(
        root=root,
        name=str(record["uri"]),
        label=str(record["label"]),
        split=str(record["split"]),
        source=str(record["source"]),
        box=_box([record[name] for name in _BOX]),
        head=None if record[_HEAD[0]] in (None, "") else _box([record[name] for name in _HEAD]),
        width=int(record["width"]),
        height=int(record["height"]),
        bytes=int(record["bytes"]),
        sha256=str(record["sha256"]),
        phash=str(record["phash"]),
        columns={name: str(value) for name, value in record.items() if name not in COLUMNS},
    )


def _box(edges: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = map(float, edges)
    return x0, y0, x1, y1


def _parse_csv(content: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    first, _, table = content.decode("utf-8").partition("\n")
    return json.loads(first.removeprefix("# ")), list(csv.DictReader(io.StringIO(table)))


def _parse_parquet(content: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    table = pq.read_table(pa.BufferReader(content))
    return json.loads((table.schema.metadata or {})[_KEY]), table.to_pylist()

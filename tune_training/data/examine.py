"""What is inside each file: whether it is a photo, its size and hashes, and the people that the detector of serving sees in it.

Findings are cached by the file's sha256, by the detector and by what decodes, so that a second run costs nothing and a killed one
resumes. A file that has not changed since (by its ETag on S3, by its time of change elsewhere) is not even read again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from serve_app.checkpoints import Checkpoint, resolve
from serve_app.codes import Code
from serve_app.runtimes.base import RunOptions
from serve_app.settings import get_settings
from serve_app.vision.cropping import head_of
from serve_app.vision.decoding import EncodedPhoto, ImageRefused
from serve_app.vision.detector import Detector
from serve_app.vision.images import Box
from serve_app.vision.people import gate, people_that_count
from tune_training.data.near_duplicates import perceptual_hash
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.io import storage
from tune_training.io.batches import NAME_IS_NO_TEXT, BatchReader, Unread
from tune_training.io.models import decode_limits, decoding, person_rule
from tune_training.io.parts import Parts
from tune_training.io.workers import Engine, work_on

_VERSION = 3  # raise it when the columns below, or their content, change
_KNOWN = "known"  # instead of a code: this content was examined before, under another name

_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("sha256", pa.string()),
        ("counted", pa.bool_()),  # whether the detector was asked
        ("code", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("phash", pa.string()),
        ("boxes", pa.list_(pa.list_(pa.float64()))),  # of the people that pass the person rule, best score first
        ("head", pa.list_(pa.float64())),  # of the first of them; null if none is seen
        ("unread", pa.string()),  # why the file was not read; null if it was
    ]
)
_SCHEMA_OF_CACHE = _SCHEMA.append(pa.field("version", pa.string()))


class Examined(NamedTuple):
    """What was found in a photo's file.

    Attributes:
        photo: with the box, size and hashes that were found.
        code: OK, or why it is no photo of one person. Without a detector, OK for every photo.
        people: number of people that pass the person rule.
        unread: why the file was not read; empty if it was.
    """

    photo: Photo
    code: Code
    people: int = 0
    unread: str = ""


def examine(
    photos: Sequence[Photo],
    versions: Mapping[str, str],
    detector: Checkpoint | None,
    close_up_sources: Sequence[str],
    cache: str,
    engine: Engine,
) -> list[Examined]:
    """Looks into the files of photos, in their order.

    Args:
        photos: at least one; all have the same root.
        versions: of the files, by name (see `StoredFile`).
        detector: finds the people; None: every photo passes.
        close_up_sources: sources whose photos it is not asked about.
        cache: folder or prefix of the findings of earlier runs; it grows.
    """
    state = [detector.revision if detector else "", decoding(), person_rule(), str(_VERSION)]
    parts = Parts(storage.join(cache, hashlib.sha256("\n".join(state).encode()).hexdigest()[:16]), _SCHEMA_OF_CACHE)
    rows = parts.read().to_pylist()
    by_content = _by_content(rows)
    by_version = {(row["name"], row["version"], row["counted"]): row for row in rows}
    counted = {photo.name for photo in photos if detector and photo.source not in close_up_sources}
    largest = get_settings().max_image_bytes
    found: dict[str, Mapping[str, Any]] = {}
    todo = []
    for name, size in [(photo.name, photo.bytes) for photo in photos]:
        row = by_version.get((name, versions[name], name in counted))
        if size > largest:
            found[name] = _nothing(name, Code.IMAGE_TOO_LARGE)
        elif storage.shown(name) != name:
            found[name] = _nothing(name, Code.NOT_FOUND) | {"unread": NAME_IS_NO_TEXT.cause}
        elif row is None:
            todo.append(name)
        else:
            found[name] = by_content[row["sha256"], row["counted"]]
    load = partial(Examiner, photos[0].root, detector.uri if detector else None, frozenset(counted), frozenset(by_content))
    doing = "finding people" if detector else "examining photos"
    for table in work_on(todo, load, _crashed, engine, doing, len(photos) - len(todo)):
        rows = table.to_pylist()
        by_content |= _by_content(rows)
        found |= {row["name"]: by_content.get((row["sha256"], row["counted"])) or row for row in rows}
        # Files that could not be read are tried again next time.
        parts.add(pa.Table.from_pylist([row | {"version": versions[row["name"]]} for row in rows if row["sha256"]], _SCHEMA_OF_CACHE))
    parts.flush()
    return [_examined(photo, found[photo.name]) for photo in photos]


class Examiner:
    """The work of one process: names below `root` to rows of `_SCHEMA`."""

    def __init__(self, root: str, detector: str | None, counted: frozenset[str], known: frozenset[tuple[str, bool]]) -> None:
        settings = get_settings()
        self._counted = counted
        self._known = known
        self._limits = decode_limits()
        self._read = BatchReader(root)
        self._detector = None
        if detector:
            self._detector = Detector.load(resolve(detector, settings.model_cache_dir), RunOptions.of(settings, threads=1))

    def __call__(self, names: Sequence[str]) -> pa.Table:
        """A row for each name."""
        return pa.Table.from_pylist([row for part in self._read(names) for row in self._examine(part)], _SCHEMA)

    def _examine(self, files: Sequence[tuple[str, bytes | Unread]]) -> list[dict[str, Any]]:
        rows = []
        decoded = []
        for name, content in files:
            row = _nothing(name, Code.NOT_FOUND) | {"counted": name in self._counted}
            rows.append(row)
            if isinstance(content, Unread):
                row["unread"] = content.cause
                continue
            row["sha256"] = hashlib.sha256(content).hexdigest()
            if (row["sha256"], row["counted"]) in self._known:
                row["code"] = _KNOWN
                continue
            try:
                encoded = EncodedPhoto(content, self._limits)
                pixels = encoded.decode()
            except ImageRefused as refused:
                row["code"] = refused.code
                continue
            width, height = encoded.size
            row |= {"code": Code.OK, "width": width, "height": height, "phash": perceptual_hash(pixels)}
            if row["counted"]:
                decoded.append((row, pixels))
        if self._detector and decoded:
            for (row, _), detected in zip(decoded, self._detector([pixels for _, pixels in decoded]), strict=True):
                people = people_that_count(detected, self._detector.decision)
                head = head_of(people[0], row["width"], row["height"]) if people else None
                row |= {"code": gate(people), "boxes": [list(person.box) for person in people], "head": head and list(head)}
        return rows


def _nothing(name: str, code: Code) -> dict[str, Any]:
    empty = {"sha256": "", "counted": False, "width": 0, "height": 0, "phash": "", "boxes": [], "head": None, "unread": None}
    return {"name": name, "code": code, **empty}


def _crashed(name: str) -> pa.Table:
    """The row of a file that kills the process decoding it; without a hash it is not kept, and the file is tried again next time."""
    return pa.Table.from_pylist([_nothing(name, Code.CORRUPT_IMAGE)], _SCHEMA)


def _by_content(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, bool], Mapping[str, Any]]:
    return {(row["sha256"], row["counted"]): row for row in rows if row["sha256"] and row["code"] != _KNOWN}


def _examined(photo: Photo, row: Mapping[str, Any]) -> Examined:
    boxes = row["boxes"] or []
    box = boxes[0] if boxes else WHOLE_PHOTO
    # Where no detector looked, the photo is a head from edge to edge, or nobody wanted to know.
    head = row["head"] if row["counted"] else WHOLE_PHOTO
    facts = {name: row[name] for name in ("sha256", "phash", "width", "height") if row[name]}  # older caches have nulls for no photo
    return Examined(
        replace(photo, box=_box(box), head=_box(head) if head else None, **facts), Code(row["code"]), len(boxes), row["unread"] or ""
    )


def _box(edges: Sequence[float]) -> Box:
    x0, y0, x1, y1 = edges
    return x0, y0, x1, y1

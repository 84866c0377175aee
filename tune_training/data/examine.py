"""What is inside each file: whether it is a photo, its size and hashes, and the people that the detector of serving sees in it.

Everything that was found is kept by the file's sha256 and by the detector, so that a second run costs nothing and one that was killed
goes on. On S3 a file that has not changed since (by its ETag) is not even read again.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from PIL import ExifTags, Image
from tqdm import tqdm

from serve_app.checkpoints import Checkpoint, resolve
from serve_app.codes import Code
from serve_app.runtimes.base import RunOptions, has_cuda
from serve_app.settings import get_settings
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.images import Box
from serve_app.vision.people import gate, people_that_count
from tune_training.data.near_duplicates import perceptual_hash
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.parts import Parts
from tune_training.io.storage import StoredFile
from tune_training.io.workers import Engine, work_on

READERS = 8  # files that a worker reads at a time: those of S3 take a while to come
ON_CPU, ON_GPU = 4, 32  # photos that go through the model together
_VERSION = 1  # to be raised when the columns below, or what is in them, change
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
        ("boxes", pa.list_(pa.list_(pa.float64()))),
    ]
)


@dataclass(frozen=True)
class Examined:
    """What was found in a file.

    Attributes:
        code: OK, or why it is no photo of one person. Without a detector, OK for every photo.
        width: pixels, upright; likewise `height`; 0 for what is no photo.
        boxes: of the people that pass the person rule, the best score first.
    """

    code: Code
    sha256: str = ""
    phash: str = ""
    width: int = 0
    height: int = 0
    boxes: Sequence[Box] = ()


def examine(
    source: str, files: Sequence[StoredFile], detector: Checkpoint | None, close_ups: frozenset[str], cache: str, engine: Engine
) -> dict[str, Examined]:
    """Examines files below `source`; by name.

    Args:
        detector: counts people; None: nobody does.
        close_ups: names of files in which they are not counted.
        cache: folder or prefix of what was found before, which grows.
    """
    limits = _limits()
    state = [detector.revision if detector else "", *map(str, limits.formats), str(limits.max_pixels), str(_VERSION)]
    parts = Parts(storage.join(cache, hashlib.sha256("\n".join(state).encode()).hexdigest()[:16]), _with_version(_SCHEMA))
    rows = parts.read().to_pylist()
    by_content = _by_content(rows)
    by_version = {(row["name"], row["version"], row["counted"]): row for row in rows}
    found: dict[str, Examined] = {}
    todo = []
    largest = get_settings().max_image_bytes
    for file in files:
        row = by_version.get((file.name, file.version, detector is not None and file.name not in close_ups))
        if file.size > largest:
            found[file.name] = Examined(Code.IMAGE_TOO_LARGE)
        elif row is None:
            todo.append(file)
        else:
            found[file.name] = by_content[row["sha256"], row["counted"]]
    version_of = {file.name: file.version for file in todo}
    load = partial(Examiner, source, detector.uri if detector else None, close_ups, frozenset(by_content))
    what = "looking for people" if detector else "looking at photos"
    with tqdm(total=len(files), initial=len(files) - len(todo), unit="photo", desc=what, disable=None) as bar:
        for table in work_on([file.name for file in todo], load, _crashed, engine):
            rows = table.to_pylist()
            by_content |= _by_content(rows)
            found |= {row["name"]: by_content.get((row["sha256"], row["counted"])) or _examined(row) for row in rows}
            # What could not be read is tried again next time.
            kept = [row | {"version": version_of[row["name"]]} for row in rows if row["sha256"]]
            parts.add(pa.Table.from_pylist(kept, _with_version(_SCHEMA)))
            bar.update(len(rows))
    parts.flush()
    return found


class Examiner:
    """The work of one process: names below `source` to rows of `_SCHEMA`."""

    def __init__(self, source: str, detector: str | None, close_ups: frozenset[str], known: frozenset[tuple[str, bool]]) -> None:
        settings = get_settings()
        self._source = source
        self._close_ups = close_ups
        self._known = known
        self._limits = _limits()
        self._batch = ON_GPU if has_cuda(settings.device) else ON_CPU
        self._readers = ThreadPoolExecutor(READERS)
        self._detector = None
        if detector:
            self._detector = Detector.load(resolve(detector, settings.model_cache_dir), RunOptions.of(settings, threads=1))

    def __call__(self, names: Sequence[str]) -> pa.Table:
        """A row for each name."""
        rows: list[dict[str, Any]] = []
        contents = read_each(self._readers, self._source, names)
        for start in range(0, len(names), self._batch):
            part = names[start : start + self._batch]
            rows += self._examine(part, [next(contents) for _ in part])
        return pa.Table.from_pylist(rows, _SCHEMA)

    def _examine(self, names: Sequence[str], contents: Sequence[bytes | None]) -> list[dict[str, Any]]:
        rows = []
        photos = []
        for name, content in zip(names, contents, strict=True):
            counted = self._detector is not None and name not in self._close_ups
            row: dict[str, Any] = {"name": name, "sha256": "", "counted": counted, "code": Code.NOT_FOUND, "boxes": []}
            rows.append(row)
            if content is None:
                continue
            row["sha256"] = hashlib.sha256(content).hexdigest()
            if (row["sha256"], counted) in self._known:
                row["code"] = _KNOWN
                continue
            try:
                photo = decode(content, self._limits)
            except ImageRefused as refused:
                row["code"] = refused.code
                continue
            width, height = upright_size(content)
            row |= {"code": Code.OK, "width": width, "height": height, "phash": perceptual_hash(photo)}
            if counted:
                photos.append((row, photo))
        if self._detector and photos:
            for (row, _), detected in zip(photos, self._detector([photo for _, photo in photos]), strict=True):
                people = people_that_count(detected, self._detector.decision)
                row |= {"code": gate(people), "boxes": [list(person.box) for person in people]}
        return rows


def read_each(readers: ThreadPoolExecutor, source: str, names: Sequence[str]) -> Iterator[bytes | None]:
    """The content of each file, in order; None for what cannot be read. Further ones are read while the first are used."""

    def read(name: str) -> bytes | None:
        try:
            return storage.read_bytes(storage.join(source, name))
        except (OSError, InputError):
            return None

    return readers.map(read, names)


def upright_size(content: bytes) -> tuple[int, int]:
    """Width and height of a photo as it is meant to be seen (EXIF), from its header."""
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        except Exception:  # as in `decoding`: damaged metadata takes nothing from the photo
            turned = False
    return (height, width) if turned else (width, height)


def _limits() -> DecodeLimits:
    settings = get_settings()
    return DecodeLimits(settings.image_formats, settings.max_image_pixels)


def _crashed(name: str) -> pa.Table:
    """A file that kills whoever decodes it; without its hash it is not kept, and asked again next time."""
    return pa.Table.from_pylist([{"name": name, "sha256": "", "counted": False, "code": Code.CORRUPT_IMAGE, "boxes": []}], _SCHEMA)


def _with_version(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field("version", pa.string()))


def _by_content(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, bool], Examined]:
    return {(row["sha256"], row["counted"]): _examined(row) for row in rows if row["sha256"] and row["code"] != _KNOWN}


def _examined(row: Mapping[str, Any]) -> Examined:
    boxes = [(x0, y0, x1, y1) for x0, y0, x1, y1 in row["boxes"] or []]
    return Examined(Code(row["code"]), row["sha256"], row["phash"] or "", row["width"] or 0, row["height"] or 0, boxes)

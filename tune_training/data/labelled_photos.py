"""Photos of one labelled person each, from wherever they are listed: a manifest, a table, or folders by label."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from serve_app.runtimes.base import LABELS
from tune_training.data.labelling import is_photo, labels_in
from tune_training.data.manifest import is_manifest, read_manifest
from tune_training.data.table import SOURCE, read_table
from tune_training.io import storage
from tune_training.io.errors import InputError

EVERYTHING = "all"  # the one split of photos that were not split


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo to judge by.

    Attributes:
        location: the URI of its bytes.
        label: male or female.
        split: train, val, test, or any other name.
        sha256: of the file, hex; empty if nobody has looked yet.
        columns: what else is known: its `source` and whatever a table or manifest says (age, race, ...).
    """

    location: str
    label: str
    split: str
    sha256: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The collection that it comes from; empty if that is not known."""
        return self.columns.get(SOURCE, "")


@dataclass(frozen=True)
class LabelledPhotos:
    """A labelled data set; `name` is what reports call it."""

    photos: Sequence[LabelledPhoto]
    name: str

    @property
    def splits(self) -> list[str]:
        """The names of its splits."""
        return sorted({photo.split for photo in self.photos})

    def split(self, name: str) -> list[LabelledPhoto]:
        """The photos of a split.

        Raises:
            InputError: there are none.
        """
        found = [photo for photo in self.photos if photo.split == name]
        if not found:
            raise InputError(f"{self.name}: there are no photos of the split {name!r}, only of {', '.join(self.splits)}")
        return found


def read_labelled(data: str) -> LabelledPhotos:
    """Reads what `data` names, local or s3://.

        manifest.parquet, manifest.csv    what `prepare` wrote
        table.csv, table.parquet          see `photo_table`; paths are relative to the table
        a folder or prefix                labels by folder (male/x.jpg) or by name (x_female.jpg), as `prepare` reads them

    Raises:
        InputError: there is nothing, or a label is missing or unknown.
    """
    if not data.lower().endswith((".parquet", ".csv")):
        return _from_folder(data)
    return _from_manifest(data) if is_manifest(data) else _from_table(data)


def sample_by_source(photos: Sequence[LabelledPhoto], most: int) -> list[LabelledPhoto]:
    """At most that many of each source, drawn with a fixed seed."""
    sample: list[LabelledPhoto] = []
    for source in sorted({photo.source for photo in photos}):
        part = [photo for photo in photos if photo.source == source]
        sample += random.Random(0).sample(part, min(most, len(part)))  # noqa: S311 - nothing secret
    return sample


def _from_manifest(uri: str) -> LabelledPhotos:
    manifest = read_manifest(uri)
    photos = [LabelledPhoto(row.uri, row.label, row.split, row.sha256, {SOURCE: row.source, **row.columns}) for row in manifest.photos]
    return LabelledPhotos(photos, _name(manifest.source))


def _from_folder(uri: str) -> LabelledPhotos:
    photos, unlabelled = [], []
    for file in storage.list_files(uri):
        if not is_photo(file.name):
            continue
        found = labels_in(file.name)
        if len(found) != 1:
            unlabelled.append(file.name)
            continue
        (label,) = found
        photos.append(LabelledPhoto(storage.join(uri, file.name), label, EVERYTHING, "", {SOURCE: ""}))
    if unlabelled:
        names = ", ".join(unlabelled[:3])
        raise InputError(f"{uri}: {len(unlabelled)} photos have no label, or two, in their folder or name, such as {names}")
    if not photos:
        raise InputError(f"{uri}: there are no photos. Write a folder with male/ and female/, a table or a manifest")
    return LabelledPhotos(photos, _name(uri))


def _from_table(uri: str) -> LabelledPhotos:
    folder = uri.replace("\\", "/").rpartition("/")[0]
    photos = []
    for row in read_table(uri):
        if row.label not in LABELS:
            raise InputError(f"{uri}: {row.path} has the label {row.label!r}; known are {', '.join(sorted(LABELS))}")
        location = storage.join(folder or ".", row.path)
        photos.append(LabelledPhoto(location, row.label, row.split or EVERYTHING, "", {SOURCE: row.source, **row.columns}))
    return LabelledPhotos(photos, _name(folder))


def _name(uri: str) -> str:
    """The last part: reports travel, and full paths are nobody's business."""
    return PurePosixPath(uri.replace("\\", "/").rstrip("/")).name or uri

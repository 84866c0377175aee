"""Photos of one labelled person each, from wherever they are listed: a manifest, a table, or folders by label."""

import random
from collections.abc import Sequence
from dataclasses import replace

from serve_app.runtimes.base import LABELS
from tune_training.data.labelling import by_names, is_photo
from tune_training.data.manifest import Manifest, is_manifest, read_manifest
from tune_training.data.photo import Photo
from tune_training.data.table import read_table
from tune_training.data.words import LabelWords
from tune_training.io import storage
from tune_training.io.errors import InputError

EVERYTHING = "all"  # the one split of photos that were not split


def read_labelled(data: str) -> Manifest:
    """Reads the photos that `data` names, local or s3://.

        manifest.parquet, manifest.csv    what `prepare` wrote
        table.csv, table.parquet          see `read_table`; paths are relative to the table
        a folder or prefix                labels by folder (male/x.jpg) or by name (x_female.jpg), as `prepare` reads them

    Raises:
        InputError: there is nothing, or a label is missing or unknown.
    """
    if not data.lower().endswith((".parquet", ".csv")):
        return _from_folder(data)
    return read_manifest(data) if is_manifest(data) else _from_table(data)


def sample_by_source(photos: Sequence[Photo], most: int) -> list[Photo]:
    """At most that many of each source, drawn with a fixed seed."""
    sample: list[Photo] = []
    for source in sorted({photo.source for photo in photos}):
        part = [photo for photo in photos if photo.source == source]
        sample += random.Random(0).sample(part, min(most, len(part)))  # noqa: S311 - nothing secret
    return sample


def _from_folder(uri: str) -> Manifest:
    photos, unlabelled = by_names(uri, [file for file in storage.list_files(uri) if is_photo(file.name)])
    if unlabelled:
        names = ", ".join(reject.uri for reject in unlabelled[:3])
        raise InputError(f"{uri}: {len(unlabelled)} photos have no label, or two, in their folder or name, such as {names}")
    if not photos:
        raise InputError(f"{uri}: there are no photos. Give a folder with male/ and female/, a table or a manifest")
    return Manifest([replace(photo, split=EVERYTHING, source="") for photo in photos], uri)


def _from_table(uri: str) -> Manifest:
    folder = uri.replace("\\", "/").rpartition("/")[0] or "."
    rows = read_table(uri)
    for row in rows:
        if row.label not in LABELS:
            raise InputError(f"{uri}: {row.path} has the label {row.label!r}; known are {', '.join(LabelWords().known)}")
    return Manifest([Photo(folder, row.path, row.label, row.split or EVERYTHING, row.source, columns=row.columns) for row in rows], folder)

"""Which files of a folder are photos, and what is known of them before anyone looks inside: label, split, source and further columns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from serve_app.runtimes.base import LABELS
from tune_training.data.manifest import TRAIN
from tune_training.data.table import read_table
from tune_training.io.storage import StoredFile

CLOSE_UP_SOURCES = ["utkface", "gender_dataset_face"]  # of the research photos: faces from edge to edge

# Those that are read, and those of cameras and pages that are not: they are refused by name instead of being overlooked.
_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".jxl", ".svg"),
)


class Reason(StrEnum):
    """Why a photo is left out, besides the codes of serving (`serve_app.codes`)."""

    UNLABELLED = "unlabelled"
    MISSING = "missing"
    TOO_SMALL = "too_small"
    CONFLICTING_LABELS = "conflicting_labels"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"


@dataclass(frozen=True)
class Reject:
    """A photo that is left out.

    Attributes:
        uri: relative to the source.
        reason: a `Reason`, or a code of serving.
        detail: what it is about in this case; may be empty.
    """

    uri: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """A labelled file; `split` is empty where none is given."""

    file: StoredFile
    label: str
    split: str = ""
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def is_photo(name: str) -> bool:
    """Whether a file's name is that of a photo, or says nothing: keys in S3 often have no ending."""
    suffix = PurePosixPath(name).suffix.lower()
    return not suffix or suffix in _SUFFIXES


def labels_in(name: str) -> frozenset[str]:
    """The labels among the folders of a photo and the words of its name: male/x.jpg, x_female.png."""
    *folders, file = name.lower().split("/")
    return frozenset(LABELS) & {*folders, *re.split(r"[^a-z]+", file.rpartition(".")[0] or file)}


def by_names(files: Sequence[StoredFile]) -> tuple[list[Candidate], list[Reject]]:
    """Labels from folders and file names.

    Where a top-level folder is called train, the top-level folders are the splits. The first other folder that is no label is the source.
    """
    split_by_folder = any(file.name.startswith(f"{TRAIN}/") for file in files)
    candidates, rejects = [], []
    for file in files:
        found = labels_in(file.name)
        if len(found) == 1:
            folders = file.name.split("/")[:-1]
            split = folders.pop(0) if split_by_folder and folders else ""
            source = next((folder for folder in folders if folder.lower() not in LABELS), "")
            candidates.append(Candidate(file, next(iter(found)), split, source))
        elif is_photo(file.name):
            reason = Reason.CONFLICTING_LABELS if found else Reason.UNLABELLED
            rejects.append(Reject(file.name, reason, " and ".join(sorted(found))))
    return candidates, rejects


def by_table(source: str, files: Sequence[StoredFile], table: str) -> tuple[list[Candidate], list[Reject]]:
    """Labels from a table, see `photo_table`; its paths are relative to `source`, or whole.

    Raises:
        InputError: it cannot be read or lacks a column.
    """
    by_name = {file.name: file for file in files}
    found: dict[str, Candidate] = {}
    rejects: dict[str, Reject] = {}
    for row in read_table(table):
        name, label = _relative(row.path, source), row.label
        if name not in by_name:
            rejects[name] = Reject(name, Reason.MISSING, "it is in the table only")
        elif label not in LABELS:
            rejects[name] = Reject(name, Reason.UNLABELLED, f"the table says {label!r}")
        elif name in found and found[name].label != label:
            rejects[name] = Reject(name, Reason.CONFLICTING_LABELS, "the table has it twice")
        else:
            found[name] = Candidate(by_name[name], label, row.split, row.source, row.columns)
    for file in files:
        if file.name not in found and is_photo(file.name):
            rejects.setdefault(file.name, Reject(file.name, Reason.UNLABELLED, "it is not in the table"))
    return [found[name] for name in sorted(found.keys() - rejects.keys())], list(rejects.values())


def _relative(path: str, source: str) -> str:
    """Tables have paths relative to the source, or whole ones."""
    return path.removeprefix(source).lstrip("/") if path.startswith(f"{source}/") else path.removeprefix("./")

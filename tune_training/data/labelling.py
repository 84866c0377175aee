"""Which files of a folder are photos, and what is known of them before anyone looks inside: label, split, source and further columns."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from serve_app.runtimes.base import LABELS
from tune_training.data.manifest import TRAIN
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject
from tune_training.data.table import read_table
from tune_training.data.words import LabelWords, split_of
from tune_training.io.storage import StoredFile

CLOSE_UP_SOURCES = ["utkface", "gender_dataset_face"]  # of the research photos: tightly cropped faces

# The formats that serving reads, and those of cameras and web pages that it does not: the latter are refused by name, not overlooked.
_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".heic", ".heif", ".hif", ".avif"),
    *(".jxl", ".svg"),
)


def is_photo(name: str) -> bool:
    """Whether a file name has a photo's suffix, or none: keys in S3 often have none."""
    suffix = PurePosixPath(name).suffix.lower()
    return not suffix or suffix in _SUFFIXES


def other_files(files: Sequence[StoredFile]) -> str:
    """How many files are taken for no photos, by their endings, as text for people; empty for none."""
    endings = Counter(PurePosixPath(file.name).suffix.lower() for file in files if not is_photo(file.name))
    return ", ".join(f"{count} {ending}" for ending, count in endings.most_common())


def by_names(root: str, files: Sequence[StoredFile], words: LabelWords | None = None) -> tuple[list[Photo], list[Reject]]:
    """Labels from folders and file names; the files are below `root`.

    If a top-level folder is called train or training, the top-level folders are the splits; so are those of the one folder that holds all
    others, as when an archive was unpacked. The first other folder that is no label is the source.
    Of a photo without a label, the last folder whose name no labelled photo has above it is taken for a word that is not known.
    """
    words = words or LabelWords()
    above = _common_folders(files, words)
    split_by_folder = any(split_of(folder) == TRAIN for file in files for folder in _folders(file)[above : above + 1])
    if not split_by_folder:
        above = 0
    photos, rejects, unlabelled = [], [], []
    meaningless: set[str] = set()  # folders of photos whose label is known: they are no words for one
    for file in files:
        found = words.labels_in(file.name)
        if len(found) == 1:
            folders = _folders(file)[above:]
            split = split_of(folders.pop(0)) if split_by_folder and folders else ""
            source = next((folder for folder in folders if not words.is_label(folder)), "")
            photos.append(Photo(root, file.name, next(iter(found)), split, source, bytes=file.size))
            meaningless.update(folder.lower() for folder in _folders(file))
        elif is_photo(file.name) and found:
            rejects.append(Reject(file.name, Reason.CONFLICTING_LABELS, " and ".join(sorted(found))))
        elif is_photo(file.name):
            unlabelled.append(file)
    for file in unlabelled:
        folders = [folder.lower() for folder in _folders(file)[above + split_by_folder :]]
        word = next((folder for folder in reversed(folders) if folder not in meaningless), "")
        rejects.append(Reject(file.name, Reason.UNKNOWN_LABEL if word else Reason.UNLABELLED, word))
    return photos, rejects


def _folders(file: StoredFile) -> list[str]:
    return file.name.split("/")[:-1]


def _common_folders(files: Sequence[StoredFile], words: LabelWords) -> int:
    """How many folders all photos lie in, from the top, down to the first that means something."""
    paths = [_folders(file) for file in files if is_photo(file.name)]
    if not paths:
        return 0
    first, last = min(paths), max(paths)  # what these two share, all share
    shared = next((level for level, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last)))
    meaning = (level for level, folder in enumerate(first[:shared]) if words.is_label(folder) or split_of(folder) == TRAIN)
    return next(meaning, shared)


def name_below(root: str, path: str) -> str:
    """The name of a photo whose path a table has, relative to `root` or absolute."""
    return path.removeprefix(root).lstrip("/") if path.startswith(f"{root}/") else path.removeprefix("./")


def by_table(root: str, files: Sequence[StoredFile], table: str, words: LabelWords | None = None) -> tuple[list[Photo], list[Reject]]:
    """Labels from a table (see `read_table`); its paths are relative to `root`, or absolute.

    Raises:
        InputError: it cannot be read or lacks a column.
    """
    sizes = {file.name: file.size for file in files}
    found: dict[str, Photo] = {}
    rejects: dict[str, Reject] = {}
    for row in read_table(table, words):
        name = name_below(root, row.path)
        if name not in sizes:
            rejects[name] = Reject(name, Reason.MISSING, "it is in the table only")
        elif not row.label:
            rejects[name] = Reject(name, Reason.UNLABELLED, "the table has no label for it")
        elif row.label not in LABELS:
            rejects[name] = Reject(name, Reason.UNKNOWN_LABEL, row.label)
        elif name in found and found[name].label != row.label:
            rejects[name] = Reject(name, Reason.CONFLICTING_LABELS, "the table has it twice")
        else:
            found[name] = Photo(root, name, row.label, row.split, row.source, bytes=sizes[name], columns=row.columns)
    for file in files:
        if file.name not in found and is_photo(file.name):
            rejects.setdefault(file.name, Reject(file.name, Reason.UNLABELLED, "it is not in the table"))
    return [found[name] for name in sorted(found.keys() - rejects.keys())], list(rejects.values())

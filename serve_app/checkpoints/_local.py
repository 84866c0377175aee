"""Checkpoints in a folder, used in place."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from serve_app.checkpoints._errors import CheckpointError
from serve_app.checkpoints._layout import (
    MANIFEST_FILE,
    Manifest,
    check_names,
    holds_revision,
    is_taken,
    not_as_published,
    parse_manifest,
    published_names,
)


def find(uri: str, revision: str | None = None) -> tuple[Path, str]:
    """The folder with the files, and the name of the folder that was asked for.

    Args:
        revision: looked for first among those that were published to the folder. The caller checks whether it is what was found.

    Raises:
        CheckpointError: there is no such folder, it is not a checkpoint, or it differs from its `manifest.json`.
    """
    given = Path(os.path.abspath(_path(uri)))
    if not given.is_dir():
        raise CheckpointError(uri, f"there is no folder {given}", "Check the path, and that it is mounted where this process runs")
    # Links are resolved once, here, so that a `current` link that moves later changes nothing between check and load.
    folder = given.resolve()
    if revision and (kept := _kept(folder, revision)):
        folder = kept
    names = os.listdir(folder)
    if MANIFEST_FILE not in names:
        check_names(uri, names)
        return folder, given.name
    manifest = parse_manifest(uri, (folder / MANIFEST_FILE).read_bytes())
    if manifest.published:
        folder = folder / manifest.published
        names = os.listdir(folder)
    _check_published(uri, folder, names, manifest)
    return folder, given.name


def _kept(folder: Path, revision: str) -> Path | None:
    """Where a revision was published, if it was."""
    kept = (below for below in sorted(folder.glob(f"{revision}*/")) if holds_revision(below.name, revision))
    return next((below for below in kept if (below / MANIFEST_FILE).exists()), None)


def _check_published(uri: str, folder: Path, names: Collection[str], manifest: Manifest) -> None:
    published = published_names(uri, manifest)
    for name in published:
        if name not in names or _sha256(folder / name) != manifest.files[name].sha256:
            raise not_as_published(uri, name)
    # Unlike from a prefix, files left over from an earlier checkpoint would be loaded with the others.
    if left_over := sorted(name for name in names if is_taken(name) and name not in published):
        raise CheckpointError(uri, f"{', '.join(left_over)}: not in {MANIFEST_FILE}, so left over from another checkpoint", "Delete it")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _path(uri: str) -> Path:
    if not uri.lower().startswith("file://"):
        return Path(uri).expanduser()
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise CheckpointError(uri, "the URI is malformed: file:// takes an absolute path", "Write file:///path/to/folder")
    return Path(url2pathname(parts.path))

"""Checkpoints in a folder: used where they are."""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from serve_app.checkpoints._errors import CheckpointError
from serve_app.checkpoints._layout import check_names


def find(uri: str) -> tuple[Path, str]:
    """The folder and its name.

    Raises:
        CheckpointError: there is no such folder, or it is no checkpoint.
    """
    given = Path(os.path.abspath(_path(uri)))
    if not given.is_dir():
        raise CheckpointError(uri, f"there is no folder {given}", "Check the path, and that it is mounted where this process runs")
    check_names(uri, os.listdir(given))
    # Links are followed once, here: what is checked and what is loaded later stay the same when a `current` link moves on.
    return given.resolve(), given.name


def _path(uri: str) -> Path:
    if not uri.lower().startswith("file://"):
        return Path(uri).expanduser()
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise CheckpointError(uri, "the URI is malformed: file:// takes an absolute path", "Write file:///path/to/folder")
    return Path(url2pathname(parts.path))

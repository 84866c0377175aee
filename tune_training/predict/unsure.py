"""The photos that the model was unsure of, in a folder where a person labels them: what such photos teach, others do not.

    FOLDER/photos/       copies, named after their content
    FOLDER/labels.csv    a row for each, the most unsure first, with an empty column `label`

Once that is filled in, `prepare FOLDER --labels FOLDER/labels.csv` takes both.
"""

import csv
import hashlib
import io
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from serve_app.runtimes.base import LABELS
from tune_training.data.table import PATH
from tune_training.io import storage
from tune_training.io.batches import BatchReader, Unread
from tune_training.io.errors import InputError

TABLE = "labels.csv"
PHOTOS = "photos"
_ORIGINAL = "original"  # where the photo comes from
_COLUMNS = [PATH, "label", *(f"probability_{label}" for label in LABELS), _ORIGINAL]


class UnsureFolder:
    """Where such photos are collected. What is there, with the labels that somebody wrote, is kept as it is, and added to.

    Attributes:
        added: how many photos came.
        unread: why others could not be read.

    Raises:
        InputError: it is no local folder, nothing can be written there, or it has a `labels.csv` of another kind.
    """

    def __init__(self, folder: str) -> None:
        if storage.is_s3(folder):
            raise InputError(f"{folder!r}: photos are collected for people to look at. Name a folder of this machine")
        self._folder = Path(storage.absolute(folder))
        self._table = self._folder / TABLE
        storage.check_writable(str(self._folder))
        self._known = self._rows()
        self.added = 0
        self.unread: list[str] = []

    def add(self, source: str, answers: Sequence[dict[str, Any]]) -> None:
        """Copies the photos of answers with the code `unsure`, those that are not there yet.

        Args:
            source: folder or prefix that the answers' paths are below.
        """
        originals = {row[_ORIGINAL] for row in self._known}
        paths = {row[PATH] for row in self._known}
        new = {row["path"]: row["probabilities"] for row in answers if storage.join(source, row["path"]) not in originals}
        rows = []
        for part in BatchReader(source)(sorted(new, key=lambda name: max(new[name].values()))):
            for name, content in part:
                if isinstance(content, Unread):
                    self.unread.append(content.cause)
                    continue
                path = f"{PHOTOS}/{hashlib.sha256(content).hexdigest()[:16]}{PurePosixPath(name).suffix.lower()}"
                if path in paths:  # the same photo under another name
                    continue
                if not (self._folder / path).exists():
                    storage.write_bytes(str(self._folder / path), content)
                paths.add(path)
                shares = [f"{new[name][label]:.4f}" for label in LABELS]
                rows.append(dict(zip(_COLUMNS, [path, "", *shares, storage.join(source, name)], strict=True)))
        self._append(rows)
        self.added += len(rows)

    def summary(self) -> str:
        """What came, and what to do with it."""
        prepare = f"python -m tune_training prepare {shlex.quote(str(self._folder))} --labels {shlex.quote(str(self._table))}"
        return f"To be labelled: {self.added} photos came to {self._folder}. Fill in the column label of {TABLE}; then: {prepare}"

    def _rows(self) -> list[dict[str, str]]:
        if not self._table.exists():
            return []
        try:
            rows = csv.DictReader(io.StringIO(self._table.read_text(encoding="utf-8-sig"), newline=""), strict=True)
            if rows.fieldnames == _COLUMNS:
                return list(rows)
        except (ValueError, csv.Error):
            pass
        raise InputError(
            f"{str(self._table)!r}: it has not the columns {', '.join(_COLUMNS)}, so nothing is added to it. Name another folder"
        )

    def _append(self, rows: Sequence[dict[str, str]]) -> None:
        if not rows:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        before = self._table.read_bytes() if self._table.exists() else b""
        if not before:
            writer.writeheader()
        elif not before.endswith(b"\n"):
            text.write("\n")
        writer.writerows(rows)
        with self._table.open("ab") as file:  # whatever happens, no label that somebody wrote is lost
            file.write(text.getvalue().encode())

"""Complete downloads and exports on disk, one directory for each state of their source."""

import hashlib
import os
import shutil
from pathlib import Path

from filelock import FileLock


class Entries:
    """The cached states of one source.

        FOLDER/lock       held by the process that downloads
        FOLDER/partial/   a download in progress; no other process reads it
        FOLDER/KEY/       a complete state; appears by rename
        FOLDER/latest     the KEY of the state that was last seen

    Hold the lock to call any method but `lock` and `latest`.
    """

    def __init__(self, root: Path, source: str) -> None:
        self._folder = root / _short_hash(source)
        self._folder.mkdir(parents=True, exist_ok=True)

    def lock(self) -> FileLock:
        """One process at a time; the operating system releases it when that process dies."""
        return FileLock(self._folder / "lock")

    def find(self, state: str) -> Path | None:
        """The complete entry for this state, which becomes the latest; None if there is none."""
        entry = self._folder / _short_hash(state)
        if not entry.is_dir():
            return None
        self._set_latest(entry)
        return entry

    def begin(self) -> Path:
        """An empty directory to download into. The incomplete download of a killed process is deleted."""
        partial = self._folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        return partial

    def finish(self, state: str) -> Path:
        """Turns the finished download into the entry for this state."""
        entry = self._folder / _short_hash(state)
        os.replace(self._folder / "partial", entry)
        self._set_latest(entry)
        return entry

    def drop(self, entry: Path) -> None:
        """Removes an entry that turned out to be damaged."""
        shutil.rmtree(entry)

    def latest(self) -> Path | None:
        """The entry for the state that was last seen, if any."""
        try:
            entry = self._folder / (self._folder / "latest").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return entry if entry.is_dir() else None

    def _set_latest(self, entry: Path) -> None:
        new = self._folder / "latest.new"
        new.write_text(entry.name, encoding="ascii")
        os.replace(new, self._folder / "latest")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

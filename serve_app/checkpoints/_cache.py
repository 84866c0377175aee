"""Complete downloads and exports on disk, one directory for each state of their source, and how many of them are kept."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

LOCK_DEADLINE_S = 1800.0  # another process may be downloading gigabytes

_in_use: dict[Path, int] = {}  # open files, each with a shared lock: the operating system releases it when this process ends


class LockedError(Exception):
    """Another process has held the lock for too long."""


class Entries:
    """The cached states of one source.

        FOLDER/lock         held by the process that downloads
        FOLDER/partial-X/   a download in progress; no other process reads it
        FOLDER/KEY/         a complete state; appears by rename
        FOLDER/KEY.json     sizes of its files, written last: without it, KEY/ was cut short by a crash. Its time is that of the last use
        FOLDER/latest       the KEY of the state that was last seen

    Hold the lock to call any method but `lock` and `latest`. What a method returns stays as long as this process lives.
    """

    def __init__(self, root: Path, source: str) -> None:
        self._folder = root / _short_hash(source)
        self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self, deadline_s: float = LOCK_DEADLINE_S) -> Iterator[None]:
        """One process at a time; the operating system releases it when that process dies.

        Raises:
            LockedError: another process has held it for `deadline_s`.
        """
        with _locked(self._folder, deadline_s):
            yield

    def find(self, state: str) -> Path | None:
        """The complete entry for this state, which becomes the latest; None if there is none."""
        entry = self._folder / _short_hash(state)
        if not _is_complete(entry):
            return None
        self._set_latest(entry)
        return use(entry)

    def all(self) -> list[Path]:
        """The complete entries; `use` the one that is taken."""
        return [entry for entry in map(_entry_of, self._folder.glob("*.json")) if _is_complete(entry)]

    def begin(self) -> Path:
        """An empty directory to download into. What killed processes left is deleted."""
        for left in self._folder.glob("partial*"):
            shutil.rmtree(left, ignore_errors=True)
        # Each its own: a child of a killed process may go on writing into its.
        return Path(tempfile.mkdtemp(prefix="partial-", dir=self._folder))

    def finish(self, partial: Path, state: str) -> Path:
        """Turns the finished download into the entry for this state. It is on the disk when this returns, whatever happens to the power."""
        entry = self._folder / _short_hash(state)
        self.drop(entry)
        sizes = {file.relative_to(partial).as_posix(): _sync(file) for file in partial.rglob("*") if file.is_file()}
        _sync(partial)
        partial.chmod(0o755)
        os.replace(partial, entry)
        _sync(self._folder)
        new = self._folder / "marker.new"
        new.write_text(json.dumps(sizes), encoding="utf-8")
        _sync(new)
        os.replace(new, _marker_of(entry))
        _sync(self._folder)
        self._set_latest(entry)
        return use(entry)

    def drop(self, entry: Path) -> None:
        """Removes an entry, if it is there."""
        marker = _marker_of(entry)
        if marker in _in_use:
            os.close(_in_use.pop(marker))
        marker.unlink(missing_ok=True)
        if entry.exists():
            shutil.rmtree(entry)

    def latest(self) -> Path | None:
        """The entry for the state that was last seen, if any."""
        try:
            entry = self._folder / (self._folder / "latest").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return use(entry) if _is_complete(entry) else None

    def _set_latest(self, entry: Path) -> None:
        new = self._folder / "latest.new"
        new.write_text(entry.name, encoding="ascii")
        os.replace(new, self._folder / "latest")


def use(entry: Path, marker: Path | None = None) -> Path:
    """Keeps an entry from being forgotten while this process lives, and notes that it was used now."""
    marker = marker or _marker_of(entry)
    with suppress(OSError):  # a cache that cannot be written is not cleared up either
        if marker not in _in_use:
            file = os.open(marker, os.O_RDONLY)
            fcntl.flock(file, fcntl.LOCK_SH)
            _in_use[marker] = file
        os.utime(marker)
    return entry


@dataclass(frozen=True)
class Stored:
    """Something in the cache that may be forgotten.

    Attributes:
        marker: a file that users hold a shared lock on, with the time of the last use.
    """

    path: Path
    size: int
    marker: Path

    @property
    def used_at(self) -> float:
        """When it was last used, seconds since the epoch."""
        return (self.marker if self.marker.exists() else self.path).stat().st_mtime

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Whether no process uses it; none can begin to while the block runs."""
        try:
            file = os.open(self.marker, os.O_RDONLY)
        except FileNotFoundError:  # of an older version, or of a process that was killed
            yield True
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(file)


def stored(root: Path) -> Iterator[Stored]:
    """The entries of all sources under `root`, complete or not."""
    for entry in root.glob("*/*/"):
        if entry.is_dir() and not entry.name.startswith("partial"):
            yield Stored(entry, sum(file.stat().st_size for file in entry.rglob("*") if file.is_file()), _marker_of(entry))


def forget(each: Stored) -> bool:
    """Deletes an entry; False when a process uses it, or its source is being downloaded."""
    with suppress(LockedError), _locked(each.path.parent, 0), each.unused() as unused:
        if unused:
            each.marker.unlink(missing_ok=True)
            shutil.rmtree(each.path)
        return unused
    return False


def oldest_first(found: Iterable[Stored]) -> list[Stored]:
    """In the order in which they are forgotten."""
    return sorted(found, key=lambda each: each.used_at)


@contextmanager
def _locked(folder: Path, deadline_s: float) -> Iterator[None]:
    lock = FileLock(folder / "lock", timeout=deadline_s)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(f"another process has held {folder / 'lock'} for more than {deadline_s:g} s") from None
    try:
        yield
    finally:
        lock.release()


def _marker_of(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.json")


def _entry_of(marker: Path) -> Path:
    return marker.with_suffix("")


def _is_complete(entry: Path) -> bool:
    try:
        sizes: dict[str, int] = json.loads(_marker_of(entry).read_text(encoding="utf-8"))
        return all((entry / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _sync(path: Path) -> int:
    """Waits until a file or a folder's list of files is on the disk; returns its size."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

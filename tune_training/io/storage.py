"""Files in folders and under s3:// prefixes alike: listed, read, and written so that they appear whole or not at all.

A URI is a path of this machine or `s3://bucket/key` (see `s3`, which is imported when a URI needs it: boto3 takes 150 ms in each process).
What the user can mend is an `InputError` that names the URI and says what to do; a file that is not there is a `FileNotFoundError`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tune_training.io.errors import InputError

S3 = "s3://"
LONG_S = 2.0  # a listing shows its progress after so long


@dataclass(frozen=True)
class StoredFile:
    """A file as it was listed.

    Attributes:
        name: relative to what was listed, with forward slashes.
        size: bytes.
        version: differs when the content does: the ETag, or the time of the last change.
    """

    name: str
    size: int
    version: str


def is_s3(uri: str) -> bool:
    """Whether the URI is of an object or a prefix in S3."""
    return uri.lower().startswith(S3)


def absolute(uri: str) -> str:
    """The URI as it holds in any working directory; prefixes without the last slash."""
    return f"{S3}{uri[len(S3) :].rstrip('/')}" if is_s3(uri) else os.path.abspath(Path(uri).expanduser())


def join(uri: str, name: str) -> str:
    """The URI of `name` below this one."""
    return f"{uri.rstrip('/')}/{name}" if is_s3(uri) else str(Path(uri) / name)


def shown(name: str) -> str:
    """The name of a file as text: bytes that are no UTF-8, which Linux allows in names, become backslashes and digits."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def list_files(uri: str) -> Sequence[StoredFile]:
    """All files below a folder or a prefix, ordered by name; hidden ones (`.DS_Store`, `.git/`) are left out.

    Raises:
        InputError: there is no such folder or bucket, no access to it or to a folder below it, or nothing below it.
    """
    if not is_s3(uri) and not Path(uri).expanduser().is_dir():
        raise InputError(f"{uri!r}: there is no such folder. Write a folder, or s3://bucket/prefix/")
    files = find_files(uri)
    if not files:
        raise InputError(f"{uri!r}: there are no files below it. Check the {'prefix' if is_s3(uri) else 'path'}")
    return files


def find_files(uri: str) -> Sequence[StoredFile]:
    """Like `list_files`, but there may be no files. A listing that takes long counts them on a terminal.

    Raises:
        InputError: there is no such bucket, or no access.
    """
    files = _listed_in_s3(uri) if is_s3(uri) else _list_folder(Path(uri).expanduser())
    counted = tqdm(files, desc="listing", unit="file", delay=LONG_S, disable=None)  # how many there are shows in the end only
    return sorted(counted, key=lambda file: file.name)


def exists(uri: str) -> bool:
    """Whether there is a file with exactly this URI."""
    if not is_s3(uri):
        return Path(uri).is_file()
    from tune_training.io import s3

    return s3.exists(uri)


def read_bytes(uri: str) -> bytes:
    """The content of a file.

    Raises:
        FileNotFoundError: there is none.
        OSError, InputError: it cannot be read.
    """
    if not is_s3(uri):
        return Path(uri).read_bytes()
    from tune_training.io import s3

    return s3.read(uri)


def write_bytes(uri: str, content: bytes) -> None:
    """Writes a file atomically: readers see the old content or the new one."""
    if is_s3(uri):
        from tune_training.io import s3

        s3.write(uri, content)
        return
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because a rename is atomic only within one file system; hidden, so that listings leave it out.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~_umask())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def write_file(uri: str, source: Path) -> None:
    """Copies a local file of any size to a URI; to S3, large ones are sent in several parts."""
    if is_s3(uri):
        from tune_training.io import s3

        s3.upload(uri, source)
    else:
        write_bytes(uri, source.read_bytes())


def delete(uri: str) -> None:
    """Removes a file, if it exists."""
    if is_s3(uri):
        from tune_training.io import s3

        s3.delete(uri)
    else:
        Path(uri).unlink(missing_ok=True)


def delete_folder(uri: str) -> None:
    """Removes a folder, or all objects under a prefix, if there are any."""
    if is_s3(uri):
        from tune_training.io import s3

        s3.delete_below(uri)
    else:
        shutil.rmtree(uri, ignore_errors=True)


def check_writable(folder: str) -> None:
    """Tries to write to a folder or prefix, before any work is done.

    Raises:
        InputError: nothing can be written there.
    """
    probe = join(folder, "writable")
    try:
        write_bytes(probe, b"")
        delete(probe)
    except OSError as error:
        raise InputError(f"{folder!r}: nothing can be written there ({error.strerror}). Choose another place") from error


def check_space(folder: str, needed: int) -> None:
    """Checks that `needed` bytes fit on the disk of a local folder, which need not exist yet; S3 has no limit.

    Raises:
        InputError: they do not.
    """
    if is_s3(folder):
        return
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    disk = shutil.disk_usage(there)
    if disk.total == 0 or not os.access(there, os.W_OK | os.X_OK):  # /proc and the like have no size
        raise InputError(f"{folder!r}: nothing can be written there. Choose another place")
    free = disk.free
    if free < needed:
        raise InputError(
            f"{folder!r}: this needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free on that disk."
            " Make room, or choose another place"
        )


def _list_folder(root: Path) -> Iterator[StoredFile]:
    # Links to folders are followed, under their own names; one that leads back to a folder above it is a cycle.
    above: dict[str, tuple[str, ...]] = {}
    for folder, below, names in os.walk(root, followlinks=True, onerror=_cannot_list):
        real = os.path.realpath(folder)
        known = above.get(os.path.dirname(folder), ())
        if real in known:
            below[:] = []
            continue
        above[folder] = (*known, real)
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                stat = path.stat()
                yield StoredFile(path.relative_to(root).as_posix(), stat.st_size, str(stat.st_mtime_ns))


def _cannot_list(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):
        return
    raise InputError(f"{error.filename!r}: this folder cannot be read ({error.strerror}). Give the right to, or move it away") from error


def _listed_in_s3(uri: str) -> Iterator[StoredFile]:
    from tune_training.io import s3

    for name, size, etag in s3.names_below(uri):
        # S3 consoles mark an empty folder with an object whose key ends with a slash.
        if not name.endswith("/") and not any(part.startswith(".") for part in name.split("/")):
            yield StoredFile(name, size, etag)


def s3_object(uri: str) -> AbstractContextManager[tuple[Any, dict[str, str]]]:
    """boto3's client and the arguments that name an object; errors in the block are those of this module."""
    from tune_training.io import s3

    return s3.of_object(uri)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

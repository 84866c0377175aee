"""A folder or prefix that several processes write to at once: none overwrites what another one wrote.

S3 has conditional writes for this (AWS documentation, "How to prevent object overwrites with conditional writes"). In a folder, writers
take turns at a lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError
from filelock import FileLock

from tune_training.io import storage

_LOCK = ".lock"  # hidden, so that listings leave it out
# S3's answers: the condition does not hold; another conditional write is under way; what was to be replaced was deleted.
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class WrittenMeanwhile(Exception):
    """Another process has written the file: since it was read, or before it was created."""


@dataclass(frozen=True)
class ReadFile:
    """A file as it was read.

    Attributes:
        version: differs when the content does.
    """

    content: bytes
    version: str = ""


class SharedFolder:
    """A folder, or `s3://bucket/prefix`; it need not exist."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def read(self, name: str) -> ReadFile | None:
        """The file, if it is there."""
        uri = storage.join(self._uri, name)
        try:
            if not storage.is_s3(uri):
                return ReadFile(storage.read_bytes(uri))
            with storage.s3_object(uri) as (client, named):
                found = client.get_object(**named)
                return ReadFile(found["Body"].read(), found["ETag"])
        except FileNotFoundError:
            return None

    def create(self, name: str, source: Path) -> None:
        """Copies a local file to one that is not there yet.

        Raises:
            WrittenMeanwhile: it is there, and stays as it is.
        """
        uri = storage.join(self._uri, name)
        if storage.is_s3(uri):
            with source.open("rb") as content:
                _put(uri, content, IfNoneMatch="*")
            return
        with self._turn():
            if storage.exists(uri):
                raise WrittenMeanwhile(uri)
            storage.write_file(uri, source)

    def replace(self, name: str, content: bytes, before: ReadFile | None) -> None:
        """Writes a file that is still as it was read; None: that is still not there.

        Raises:
            WrittenMeanwhile: it is not, and stays as it is.
        """
        uri = storage.join(self._uri, name)
        if storage.is_s3(uri):
            _put(uri, content, **({"IfMatch": before.version} if before else {"IfNoneMatch": "*"}))
            return
        with self._turn():
            if self.read(name) != before:
                raise WrittenMeanwhile(uri)
            storage.write_bytes(uri, content)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        folder = Path(self._uri)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK):
            yield


def _put(uri: str, content: object, **condition: str) -> None:
    with storage.s3_object(uri) as (client, named):
        try:
            client.put_object(**named, Body=content, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                raise
            raise WrittenMeanwhile(uri) from error

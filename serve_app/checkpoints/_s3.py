"""Checkpoints from S3 or a compatible store (AWS_ENDPOINT_URL). boto3 handles credentials, region and retries."""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from serve_app.checkpoints._cache import Entries, use
from serve_app.checkpoints._errors import CheckpointError, CheckpointUnreachable
from serve_app.checkpoints._layout import (
    MANIFEST_FILE,
    Manifest,
    bad_manifest,
    check_names,
    check_weights,
    holds_revision,
    is_taken,
    not_as_published,
    parse_manifest,
    published_names,
    revision_of,
)
from serve_app.checkpoints._s3_errors import explaining

logger = logging.getLogger(__name__)

_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(/(?P<prefix>.*))?", re.IGNORECASE | re.ASCII)
_CHUNK = 1 << 20
_MAX_MANIFEST_BYTES = 1 << 20
_ATTEMPTS_PER_FILE = 5
_LISTINGS = 3
_MD5_ETAG = re.compile(r"[0-9a-f]{32}")

_BROKEN_OFF = (boto.HTTPClientError, boto.IncompleteReadError)


@dataclass(frozen=True)
class _Object:
    """An object as it was listed; `name` is relative to the prefix."""

    name: str
    size: int
    etag: str


class _Changed(Exception):
    """An object has changed since it was listed."""


def fetch(uri: str, cache_dir: Path, revision: str | None = None) -> tuple[Path, str]:
    """Downloads the prefix unless its current listing is cached; returns the folder and the prefix's last part.

    If S3 cannot be reached, uses the state that was last seen, with a warning.

    Args:
        revision: looked for first in the cache and among those that were published to the prefix. The caller checks whether it is what
            was found.

    Raises:
        CheckpointError: no such bucket or prefix, no access, no network, or the objects are damaged or not a checkpoint.
    """
    with closing(_Prefix(uri)) as prefix:
        entries = Entries(cache_dir, prefix.address)
        if revision is not None:
            if entry := _cached(prefix.uri, entries, revision):
                return entry, prefix.name
            if kept := prefix.kept(revision):
                return _fetch_as_listed(kept, Entries(cache_dir, kept.address)), prefix.name
        try:
            return _fetch_as_listed(prefix, entries), prefix.name
        except CheckpointUnreachable as error:
            latest = entries.latest()
            if latest is None or revision is not None:
                raise
            logger.warning("%s Using the copy in the cache, which may be out of date.", error)
            return latest, prefix.name


def _fetch_as_listed(prefix: "_Prefix", entries: Entries) -> Path:
    for _ in range(_LISTINGS):
        objects = prefix.list()
        names = [each.name for each in objects]
        if MANIFEST_FILE not in names:  # which may name files that are elsewhere
            check_names(prefix.uri, names)
        wanted = [each for each in objects if is_taken(each.name) or each.name == MANIFEST_FILE]
        state = repr(sorted((each.name, each.size, each.etag) for each in wanted))
        with entries.lock():
            entry = entries.find(state)
            if entry and _is_whole(prefix.uri, entry):
                return entry
            if entry:
                entries.drop(entry)
            try:
                partial = entries.begin()
                prefix.download(wanted, partial)
                check_weights(prefix.uri, partial)
                return entries.finish(partial, state)
            except _Changed:
                logger.info("%s changed while it was read; reading it again", prefix.uri)
    raise CheckpointError(prefix.uri, "it kept changing while it was read", "Try again when publishing to it has finished")


def _cached(uri: str, entries: Entries, revision: str) -> Path | None:
    with entries.lock():
        return next((use(entry) for entry in entries.all() if _is_whole(uri, entry) and revision_of(uri, entry) == revision), None)


def _is_whole(uri: str, entry: Path) -> bool:
    try:
        check_weights(uri, entry)
    except (CheckpointError, OSError) as error:
        logger.warning("the cached copy is damaged and is downloaded again: %s", error)
        return False
    return True


class _Prefix:
    """The objects directly under one prefix of a bucket."""

    def __init__(self, uri: str, client: Any = None) -> None:
        parts = _URI.fullmatch(uri)
        if parts is None:
            raise CheckpointError(uri, "the URI is malformed", "Write s3://bucket/prefix/")
        path = (parts["prefix"] or "").strip("/")
        self.uri = uri
        self.name = path.rpartition("/")[2] or parts["bucket"]
        self._bucket = parts["bucket"]
        self._prefix = f"{path}/" if path else ""
        self._client = client or _new_client(uri)

    def close(self) -> None:
        self._client.close()

    @property
    def address(self) -> str:
        """The same for all spellings of the URI, and different for each endpoint."""
        return f"{self._client.meta.endpoint_url} {self._bucket} {self._prefix}"

    def list(self) -> Sequence[_Object]:
        found = self.find()
        if not found:
            raise CheckpointError(self.uri, "there are no objects under this prefix", "Check the prefix, or publish a checkpoint to it")
        return found

    def kept(self, revision: str) -> "_Prefix | None":
        """Where a revision was published, if it was."""
        with explaining(self.uri):
            folders = [item["Prefix"] for page in self._pages(revision) for item in page.get("CommonPrefixes", [])]
        names = (folder.removeprefix(self._prefix).rstrip("/") for folder in folders)
        kept = [self._below(name) for name in names if holds_revision(name, revision)]
        return next((each for each in kept if any(listed.name == MANIFEST_FILE for listed in each.find())), None)

    def _below(self, name: str) -> "_Prefix":
        return _Prefix(f"{self.uri.rstrip('/')}/{name}/", self._client)

    def find(self) -> Sequence[_Object]:
        """Like `list`, but there may be none."""
        with explaining(self.uri):
            return [
                _Object(item["Key"].removeprefix(self._prefix), item["Size"], item["ETag"])
                for page in self._pages()
                for item in page.get("Contents", [])
            ]

    def _pages(self, beginning: str = "") -> Iterator[dict[str, Any]]:
        """Of the listing of what is directly under the prefix: `Contents`, and `CommonPrefixes` for what is further below."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + beginning, Delimiter="/")
        yield from pages

    def download(self, objects: Sequence[_Object], folder: Path, manifest: Manifest | None = None) -> None:
        """Gets each object once, into `folder`; the manifest is that among them, unless another one is given.

        Raises:
            _Changed: an object was replaced or deleted since it was listed.
        """
        by_name = {each.name: each for each in objects}
        its_own = by_name.pop(MANIFEST_FILE, None)
        manifest = manifest or self._manifest(its_own)
        if manifest and manifest.published:
            below = self._below(manifest.published)
            below.download(below.find(), folder, manifest.model_copy(update={"published": None}))
            return
        if manifest:
            by_name = self._as_published(by_name, manifest)
        megabytes = sum(each.size for each in by_name.values()) / 1e6
        logger.info("downloading %s: %d files, %.1f MB", self.uri, len(by_name), megabytes)
        started = time.monotonic()
        for each in by_name.values():
            self._download(each, folder / each.name, manifest.files[each.name].sha256 if manifest else None)
        logger.info("downloaded %s: %.1f MB in %.1f s", self.uri, megabytes, time.monotonic() - started)

    def _manifest(self, listed: _Object | None) -> Manifest | None:
        if listed is None:
            return None
        if listed.size > _MAX_MANIFEST_BYTES:
            raise bad_manifest(self.uri, f"{listed.size} bytes are too many")
        with explaining(self.uri):
            content = self._get(listed, 0)["Body"].read()
        return parse_manifest(self.uri, content)

    def _as_published(self, listed: dict[str, _Object], manifest: Manifest) -> dict[str, _Object]:
        """The objects that the manifest names, without files left over from an earlier checkpoint."""
        names = published_names(self.uri, manifest)
        for name in names:
            if name not in listed or listed[name].size != manifest.files[name].size:
                raise not_as_published(self.uri, name)
        return {name: listed[name] for name in names}

    def _download(self, listed: _Object, target: Path, sha256: str | None) -> None:
        """Downloads one object, resuming after a broken connection."""
        hasher = _new_hasher(sha256)
        received = 0
        with target.open("wb") as file:
            for _ in range(_ATTEMPTS_PER_FILE):
                with explaining(self.uri):
                    response = self._get(listed, received)
                    if received and response["ResponseMetadata"]["HTTPStatusCode"] != 206:  # the store ignores ranges and sends all of it
                        file.seek(0)
                        file.truncate()
                        hasher, received = _new_hasher(sha256), 0
                    try:
                        with closing(response["Body"]) as body:
                            for chunk in body.iter_chunks(_CHUNK):
                                file.write(chunk)
                                hasher.update(chunk)
                                received += len(chunk)
                        break
                    except _BROKEN_OFF as error:
                        logger.info("%s of %s broke off after %d bytes: %s", listed.name, self.uri, received, error)
            else:
                raise CheckpointUnreachable(
                    self.uri, f"{listed.name} broke off {_ATTEMPTS_PER_FILE} times", "Check the network to S3 and try again"
                )
        expected = sha256 or _md5(listed, response)
        if received != listed.size or (expected and hasher.hexdigest() != expected):
            raise CheckpointError(
                self.uri, f"{listed.name} arrived damaged: its checksum differs from the published one", "Try again, or publish it again"
            )

    def _get(self, listed: _Object, start: int) -> dict[str, Any]:
        ranged = {"Range": f"bytes={start}-"} if start else {}
        try:
            response: dict[str, Any] = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + listed.name, IfMatch=listed.etag, **ranged
            )
            return response
        except boto.ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "412", "NoSuchKey"):
                raise _Changed from error
            raise


def _new_client(uri: str) -> Any:
    try:
        with explaining(uri):
            # 10 s: with a cached copy, an unreachable store must not delay the start for minutes.
            return boto3.session.Session(region_name=os.environ.get("AWS_REGION")).client("s3", config=Config(connect_timeout=10))
    except ValueError as error:
        raise CheckpointError(uri, f"the S3 client cannot be set up ({error})", "Check AWS_ENDPOINT_URL and AWS_REGION") from error


def _new_hasher(sha256: str | None) -> "hashlib._Hash":
    return hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)


def _md5(listed: _Object, response: dict[str, Any]) -> str | None:
    """The MD5 in the ETag; None for a multipart upload or encryption with a key, where the ETag is no MD5."""
    etag = listed.etag.strip('"')
    plain = response.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in response
    return etag if plain and _MD5_ETAG.fullmatch(etag) else None

"""Objects in S3, for `storage`. Credentials, region, endpoint (AWS_ENDPOINT_URL) and retries are boto3's own.

Errors are those of `storage`: `InputError` for what the user can mend, `FileNotFoundError` for an object that is not there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from serve_app.checkpoints import CheckpointError, explaining_s3
from tune_training.io.errors import InputError

_CONNECTIONS = 32  # of one client: the most objects that are read at a time
_DELETED_AT_ONCE = 1000  # S3's own limit
_READS = 5  # of an object whose transfer breaks off: botocore tries again only until the first byte
_BROKEN_OFF = (boto.IncompleteReadError, boto.ResponseStreamingError, boto.HTTPClientError)


@contextmanager
def of_object(uri: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """boto3's client and the arguments that name an object; errors in the block are those of `storage`."""
    bucket, key = _parts(uri)
    with _explaining(uri):
        yield _client(), {"Bucket": bucket, "Key": key}


def names_below(uri: str) -> Iterator[tuple[str, int, str]]:
    """Name relative to the prefix, bytes and ETag of each object below it; no prefix is the whole bucket."""
    bucket, key = _parts(uri, prefix=True)
    prefix = f"{key}/" if key else ""
    pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with _explaining(uri):
        for item in (item for page in pages for item in page.get("Contents", [])):
            yield item["Key"].removeprefix(prefix), item["Size"], item["ETag"].strip('"')


def exists(uri: str) -> bool:
    """Whether there is an object with exactly this URI."""
    try:
        with of_object(uri) as (client, named):
            client.head_object(**named)
    except FileNotFoundError:
        return False
    return True


def read(uri: str) -> bytes:
    """The content of an object."""
    with of_object(uri) as (client, named):
        reads = 0
        while True:
            body = client.get_object(**named)["Body"]
            reads += 1
            try:
                content: bytes = body.read()
                return content
            except _BROKEN_OFF:
                if reads == _READS:
                    raise


def write(uri: str, content: bytes) -> None:
    """Writes an object."""
    with of_object(uri) as (client, named):
        client.put_object(**named, Body=content)


def upload(uri: str, source: Path) -> None:
    """Copies a local file of any size; large ones are sent in several parts."""
    with of_object(uri) as (client, named):
        client.upload_file(str(source), *named.values())


def delete(uri: str) -> None:
    """Removes an object, if it exists."""
    with of_object(uri) as (client, named):
        client.delete_object(**named)


def delete_below(uri: str) -> None:
    """Removes all objects under a prefix."""
    bucket, prefix = _parts(uri)  # never a whole bucket
    keys = [{"Key": f"{prefix}/{name}"} for name, *_ in names_below(uri)]
    with _explaining(uri):
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            _client().delete_objects(Bucket=bucket, Delete={"Objects": keys[start : start + _DELETED_AT_ONCE], "Quiet": True})


def _parts(uri: str, *, prefix: bool = False) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    key = key.strip("/") if prefix else key
    if not bucket or not (key or prefix):
        raise InputError(f"{uri!r}: the URI is malformed. Write s3://bucket/{'prefix/' if prefix else 'key'}")
    return bucket, key


@contextmanager
def _explaining(uri: str) -> Iterator[None]:
    try:
        with explaining_s3(uri):
            yield
    except CheckpointError as error:
        cause = error.__cause__
        if isinstance(cause, boto.ClientError) and cause.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise FileNotFoundError(f"{uri!r}: there is no such object") from error
        raise InputError(str(error)) from error


def _client() -> Any:
    """boto3's client for the AWS_* settings as they are now; one for all threads."""
    return _client_for(tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@lru_cache(maxsize=1)
def _client_for(_settings: tuple[tuple[str, str], ...]) -> Any:
    config = Config(max_pool_connections=_CONNECTIONS, connect_timeout=10)
    try:
        with _explaining("s3://"):
            return boto3.session.Session(region_name=os.environ.get("AWS_REGION")).client("s3", config=config)
    except ValueError as error:
        raise InputError(f"the S3 client cannot be set up ({error}). Check AWS_ENDPOINT_URL and AWS_REGION") from error

"""A fake S3 server in this process (moto) that records requests and injects faults, and the AWS_* settings for it."""

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Get:
    """One GET of an object: its key, and the Range and If-Match headers."""

    key: str
    range: str | None
    if_match: str | None


@dataclass
class Cut:
    """Closes the connection of the next GET of `key` after `after` bytes of the body, after calling `then`."""

    key: str
    after: int
    then: Callable[[], None] = lambda: None


@dataclass
class S3Server:
    """Attributes:
    url: its address.
    gets: GETs of objects in order of arrival, without listings.
    cuts: connections to close, each once.
    refusal: when set, every request gets this HTTP status and S3 error code.
    ignores_ranges: whether it ignores the Range header, as some stores do.
    gate: an application around it all, given the one that it is around.
    """

    url: str
    gets: list[Get] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    ignores_ranges: bool = False
    gate: Callable[[WSGIApp], WSGIApp] = lambda app: app

    @cached_property
    def client(self) -> Any:
        """A boto3 S3 client, closed with the server."""
        return boto3.session.Session().client("s3")

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        """Uploads a folder's files under `prefix`; creates the bucket if needed."""
        self.client.create_bucket(Bucket=bucket)
        for file in sorted(folder.iterdir()):
            self.put(bucket, prefix + file.name, file.read_bytes())

    def put(self, bucket: str, key: str, body: bytes, **options: Any) -> None:
        """Puts one object."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body, **options)

    def put_multipart(self, bucket: str, key: str, body: bytes) -> None:
        """Puts one object as a multipart upload, so that its ETag is not the MD5 of its content."""
        upload = self.client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        part = self.client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=body)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self.client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts)

    def delete(self, bucket: str, key: str) -> None:
        """Deletes one object."""
        self.client.delete_object(Bucket=bucket, Key=key)

    def wrap(self, app: WSGIApp) -> WSGIApp:
        """The server's application, wrapped to record requests and inject faults."""

        def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if self.refusal:
                status, code = self.refusal
                start_response(f"{status} {code}", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{code}</Code><Message>refused by the test</Message></Error>".encode()]
            key = environ["PATH_INFO"].lstrip("/").partition("/")[2]
            is_get = environ["REQUEST_METHOD"] == "GET" and bool(key)
            if is_get:
                self.gets.append(Get(key, environ.get("HTTP_RANGE"), environ.get("HTTP_IF_MATCH")))
            if self.ignores_ranges:
                environ.pop("HTTP_RANGE", None)
            body = app(environ, start_response)
            cut = next((each for each in self.cuts if is_get and each.key == key), None)
            if cut is None:
                return body
            self.cuts.remove(cut)
            return _cut_off(body, cut)

        return wrapped


def _cut_off(body: Iterable[bytes], cut: Cut) -> Iterator[bytes]:
    # The server closes the connection when the body ends before its Content-Length.
    yield b"".join(body)[: cut.after]
    cut.then()


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An empty S3 server on a free port, for boto3 in this process and its children. Nothing is retried."""
    moto = _moto()
    host, port = moto.get_host_and_port()
    server = S3Server(f"http://{host}:{port}")
    werkzeug = moto._server  # moto offers no other access to its requests
    assert werkzeug is not None
    app = werkzeug.app
    lead_boto3_to(monkeypatch, server.url)
    with urlopen(Request(f"{server.url}/moto-api/reset", method="POST")):
        pass
    recording = server.wrap(app)
    werkzeug.app = lambda *request: server.gate(recording)(*request)
    try:
        yield server
    finally:
        werkzeug.app = app
        server.client.close()


@cache
def _moto() -> ThreadedMotoServer:
    """One server for the whole run, because stopping it takes half a second."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    atexit.register(moto.stop)
    return moto


def lead_boto3_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Sets the AWS_* environment: this endpoint, test credentials, and nothing from the machine's own configuration."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)

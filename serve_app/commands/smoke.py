"""Smoke test of a running service: `python -m serve_app.commands.smoke URL [PHOTOS_DIR]`. Needs only Python."""

import argparse
import json
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

TIMEOUT_S = 90
TRY_AGAIN_S = 5.0


@dataclass(frozen=True)
class Reply:
    """HTTP status and JSON body of a response."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The result of a check."""

    name: str
    passed: bool
    note: str
    milliseconds: float


class CheckFailed(Exception):
    """The service gave an unexpected answer."""


class Service:
    """A running service.

    Args:
        url: its address, with the public prefix if it has one.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def get(self, path: str) -> Reply:
        """GET."""
        return _send(Request(self._url + path))

    def post(self, path: str, body: bytes, content_type: str) -> Reply:
        """POST of a raw body."""
        return _send(Request(self._url + path, data=body, headers={"Content-Type": content_type}))

    def post_files(self, path: str, field: str, files: Mapping[str, bytes]) -> Reply:
        """POST of a form with files by name."""
        boundary = uuid.uuid4().hex
        parts = [_form_part(boundary, field, name, content) for name, content in files.items()]
        return self.post(path, b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


Check = Callable[[Service], str]
Fields = dict[str, object]


def drawn_image(width: int = 320, height: int = 240) -> bytes:
    """A PNG of one colour, without people."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\x00" + bytes([90, 140, 190]) * width) * height
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", zlib.compress(rows)) + _png_chunk(b"IEND", b"")


class Photos(NamedTuple):
    """What a folder has: the files to send, and the folders in it, whose files are not sent."""

    files: list[Path]
    folders: list[Path]


def photos_in(folder: Path) -> Photos:
    """The files and folders in a folder.

    Raises:
        argparse.ArgumentTypeError: there is no such folder, or it has no file.
    """
    if not folder.is_dir():
        problem = "is a file: name the folder that it is in" if folder.exists() else "does not exist"
        raise argparse.ArgumentTypeError(f"the folder of photos, {folder}, {problem}")
    inside = sorted(folder.iterdir())
    photos = Photos([path for path in inside if path.is_file()], [path for path in inside if path.is_dir()])
    if not photos.files:
        raise argparse.ArgumentTypeError(f"the folder of photos, {folder}, has no file{', but other folders' if photos.folders else ''}")
    return photos


def service_url(text: str) -> str:
    """A URL; `localhost:8000` alone is one, too.

    Raises:
        argparse.ArgumentTypeError: it is no URL of a service.
    """
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in url):
        raise argparse.ArgumentTypeError(f"{text!r} is no address of a service: it looks like http://localhost:8000")
    return url


def photo_checks(files: Iterable[Path]) -> dict[str, Check]:
    """For each file, a check that it gets any answer."""
    return {file.name: _photo_check(file) for file in files}


def run_checks(service: Service, checks: Mapping[str, Check]) -> Iterator[Result]:
    """Runs the checks in turn, also after one has failed."""
    for name, check in checks.items():
        started = time.perf_counter()
        try:
            passed, note = True, check(service)
        except (CheckFailed, OSError, HTTPException) as error:
            passed, note = False, str(error)
        yield Result(name, passed, note, (time.perf_counter() - started) * 1000)


def wait_until_awake(service: Service, seconds: float) -> None:
    """Sends a photo until it is answered: this wakes sleeping models, and a load balancer needs time to find them."""
    ends = time.monotonic() + seconds
    while not _awake(service) and time.monotonic() < ends:
        time.sleep(max(0.0, min(TRY_AGAIN_S, ends - time.monotonic())))


def main(arguments: list[str] | None = None) -> int:
    """Prints a line per check; returns 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.commands.smoke", description="Smoke test of a running service.")
    parser.add_argument("url", metavar="URL", type=service_url, help="such as http://localhost:8000")
    parser.add_argument("photos", metavar="PHOTOS_DIR", nargs="?", type=lambda text: photos_in(Path(text)), help="folder of files to send")
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=0, help="how long to wait for sleeping models first")
    options = parser.parse_args(arguments)
    if options.wait:
        wait_until_awake(Service(options.url), options.wait)
    checks = CHECKS | (photo_checks(options.photos.files) if options.photos else {})
    width = max(map(len, checks))
    failed = 0
    for result in run_checks(Service(options.url), checks):
        print(f"{'PASS' if result.passed else 'FAIL'}  {result.name:<{width}}  {result.milliseconds:>6.0f} ms  {result.note}", flush=True)
        failed += not result.passed
    print(f"\n{len(checks) - failed} of {len(checks)} passed")
    if options.photos and (folders := options.photos.folders):
        print(f"Not sent: the files in the folders {', '.join(folder.name for folder in folders)}")
    return 1 if failed else 0


NO_IMAGE = b"This is not an image."
NOBODY: Fields = {"code": "no_person", "error": "No person detected in image", "prediction": None, "confidence": 0.0, "person_count": 0}
NOT_AN_IMAGE: Fields = {"code": "not_an_image", "error": "File must be an image"}


def _health(service: Service) -> str:
    reply = service.get("/health")
    _expect(reply, 200, {"status": "healthy", "model_loaded": True, "processor_loaded": True, "detector_loaded": True})
    return ", ".join(f"{model['name']}@{model['revision']}" for model in reply.body.get("models", {}).values())


def _welcome(service: Service) -> str:
    reply = service.get("/")
    _expect(reply, 200, {"message": "Gender Classification API", "status": "healthy"})
    return f"version {reply.body.get('version')}"


def _drawn_image(service: Service) -> str:
    return _expect(service.post_files("/predict", "file", {"plain.png": drawn_image()}), 200, NOBODY)


def _drawn_image_as_body(service: Service) -> str:
    return _expect(service.post("/predict", drawn_image(), "image/png"), 200, NOBODY)


def _no_image(service: Service) -> str:
    return _expect(service.post_files("/predict", "file", {"notes.txt": NO_IMAGE}), 400, NOT_AN_IMAGE | {"detail": NOT_AN_IMAGE["error"]})


def _batch(service: Service) -> str:
    reply = service.post_files("/predict-batch", "files", {"plain.png": drawn_image(), "notes.txt": NO_IMAGE})
    _expect(reply, 200, {})
    items = reply.body.get("results", [])
    if len(items) != 2:
        raise CheckFailed(f"{len(items)} results")
    _expect(Reply(200, items[0]), 200, {"filename": "plain.png"} | NOBODY)
    _expect(Reply(200, items[1]), 200, {"filename": "notes.txt"} | NOT_AN_IMAGE)
    return "2 answers in the order sent"


def _batch_too_large(service: Service) -> str:
    reply = service.post_files("/predict-batch", "files", {f"{number}.png": drawn_image() for number in range(11)})
    return _expect(reply, 400, {"code": "bad_request", "detail": "Maximum 10 images per batch"})


def _unknown_address(service: Service) -> str:
    return _expect(service.get("/no-such-address"), 404, {"code": "not_found"})


CHECKS: dict[str, Check] = {
    "GET /health": _health,
    "GET /": _welcome,
    "POST /predict, a drawn image": _drawn_image,
    "POST /predict, the image as the body": _drawn_image_as_body,
    "POST /predict, not an image": _no_image,
    "POST /predict-batch, 2 files": _batch,
    "POST /predict-batch, 11 files": _batch_too_large,
    "GET of an unknown address": _unknown_address,
}


def _awake(service: Service) -> bool:
    try:
        return service.post("/predict", drawn_image(), "image/png").status not in (502, 503, 504)
    except (CheckFailed, OSError, HTTPException):
        return False


def _photo_check(photo: Path) -> Check:
    def check(service: Service) -> str:
        reply = service.post_files("/predict", "file", {photo.name: photo.read_bytes()})
        _expect(reply, 200, {})
        return f"{reply.body.get('code')}  {reply.body.get('prediction')}  {reply.body.get('confidence')}"

    return check


def _expect(reply: Reply, status: int, fields: Fields) -> str:
    wrong = {key: reply.body.get(key) for key, value in fields.items() if key not in reply.body or reply.body[key] != value}
    if reply.status != status or wrong:
        raise CheckFailed(f"HTTP {reply.status}, expected {status}; {reply.body.get('error') or ''} {wrong or ''}".rstrip())
    return str(reply.body.get("error"))


def _send(request: Request) -> Reply:
    request.add_header("Accept", "application/json")
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:
            return Reply(response.status, _parse(response.read()))
    except HTTPError as error:
        with error:
            return Reply(error.code, _parse(error.read()))


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise CheckFailed(f"no JSON object: {body[:60]!r}")
    return parsed


def _form_part(boundary: str, field: str, name: str, content: bytes) -> bytes:
    quoted = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")  # as browsers do
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{quoted}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


if __name__ == "__main__":
    sys.exit(main())

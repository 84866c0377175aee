"""The real service with the built page, and files to upload."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve_app.graph.ray_internals import free_port
from tests.support import photos
from tests.support.images import encode, oriented
from tests.support.page import ROOT, chromium_or_skip, npm_or_skip, run
from tests.support.service import RunningService

MANY = 20


@pytest.fixture(scope="module")
def chromium() -> str:
    """Path of Chromium."""
    return chromium_or_skip()


@pytest.fixture(scope="module")
def page(chromium: str) -> None:
    """Builds the page."""
    npm_or_skip()
    run("make", "--no-print-directory", "page", cwd=ROOT)


@pytest.fixture(scope="module")
def service(page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service as users run it, with the embedded models and the page."""
    running = RunningService(free_port(), tmp_path_factory.mktemp("service"))
    try:
        running.wait_until_ready()
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with photos, and with files that people mistake for photos."""
    folder = tmp_path_factory.mktemp("files")
    person = Image.open(io.BytesIO(photos.cameraman()))
    large = person.resize((3000, 3000))
    contents = {
        "person.jpg": photos.cameraman(),
        "two.jpg": photos.two_people(),
        "nobody.jpg": photos.coffee(),
        "large.jpg": encode(large, "JPEG", quality=90),
        # Stored on its side, with an EXIF orientation.
        "turned.jpg": encode(large.rotate(90), "JPEG", quality=90, exif=oriented(6)),
        "cut.jpg": photos.cameraman()[:20_000],
        "dot.png": encode(Image.new("RGB", (1, 1), "red"), "PNG"),
        "document.jpg": b"%PDF-1.7\n" + b"1 0 obj\n" * 500,
        "iphone.heic": encode(person, "HEIF"),
        "phone.heic": b"\0\0\0\x20ftypheic\0\0\0\0mif1heic" + bytes(4000),
        "huge.jpg": np.random.default_rng(0).bytes(60_000_000),
        "photo.tiff": encode(person, "TIFF"),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "many").mkdir()
    kinds = [photos.cameraman(), photos.coffee(), photos.two_people(), photos.cat()]
    for number in range(MANY):
        (folder / "many" / f"{number:02}.jpg").write_bytes(kinds[number % len(kinds)])
    return folder

"""The page's copies of the service's facts match the service."""

import json
import re

from serve_app.commands.openapi_document import openapi_document
from serve_app.settings import Settings
from serve_app.vision.decoding import DecodeLimits
from tests.support.page import UI


def constant(name: str) -> int:
    """A constant in the page's limits.ts."""
    (found,) = re.findall(rf"{name} = ([\d_]+);", (UI / "src/api/limits.ts").read_text())
    return int(found)


def test_the_openapi_document_is_the_services() -> None:
    assert (UI / "openapi.json").read_text() == openapi_document(), "run `make page-api`"


def test_the_limits_are_the_services() -> None:
    assert constant("MAX_IMAGE_BYTES") == Settings(_env_file=None).max_image_bytes
    assert constant("LONG_SIDE") == DecodeLimits(formats=(), max_pixels=1).long_side
    assert constant("MAX_BATCH_FILES") == Settings(_env_file=None).max_batch_files


def test_the_formats_are_the_services() -> None:
    (told,) = re.findall(r'const FORMAT_NAMES = "(.*)";', (UI / "src/text/messages.ts").read_text())
    formats = set(re.split(", ", told.upper().replace("HEIC", "HEIF")))  # as phones call it
    assert formats == set(Settings(_env_file=None).image_formats) - {"MPO"}  # a JPEG variant that the page does not list


def test_the_lock_names_no_address_to_download_from() -> None:
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    assert len(packages) > 100
    assert [name for name, package in packages.items() if "resolved" in package] == []

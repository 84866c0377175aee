"""A JPEG without its last bytes is a photo if 95 % of its rows are there."""

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serve_app.codes import Code
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from tests.support.images import FORMATS, encode, picture

LIMITS = DecodeLimits(FORMATS, max_pixels=50_000_000)
KINDS: dict[str, dict[str, Any]] = {
    "one scan": {},
    "grey": {},
    "full colour": {"subsampling": 0},
    "restarts by row": {"restart_marker_rows": 1},
    "restarts by block": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
}


def jpeg(kind: str, width: int = 640, height: int = 480) -> bytes:
    """A photo with some noise: its bytes are spread over its rows."""
    noise = np.random.default_rng(0).integers(0, 32, (height, width, 1), dtype=np.uint8)
    image = Image.fromarray(np.asarray(picture(width, height)) // 2 + noise)
    return encode(image.convert("L") if kind == "grey" else image, "JPEG", quality=85, **KINDS[kind])


def is_accepted(data: bytes) -> bool:
    """Whether the file is decoded; the only other outcome is CORRUPT_IMAGE."""
    try:
        decode(data, LIMITS)
    except ImageRefused as refused:
        code = refused.code
    else:
        return True
    assert code is Code.CORRUPT_IMAGE
    return False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2, 3, 12])
def test_the_last_bytes_may_be_missing(kind: str, missing: int) -> None:
    data = jpeg(kind)
    photo, whole = decode(data[:-missing], LIMITS), decode(data, LIMITS)
    rows = int(photo.shape[0] * 0.95)
    assert photo.shape == whole.shape
    assert (photo[:rows] == whole[:rows]).all()


def test_a_small_photo_without_an_end_marker_is_whole() -> None:
    data = jpeg("one scan", 96, 96)
    assert (decode(data[:-2], LIMITS) == decode(data, LIMITS)).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
@pytest.mark.parametrize(("share", "accepted"), [(0.98, True), (0.9, False), (0.5, False), (0.2, False)])
def test_most_of_the_rows_must_be_there(kind: str, share: float, accepted: bool) -> None:
    data = jpeg(kind)
    assert is_accepted(data[: int(len(data) * share)]) is accepted


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5, 0.3, 0.1])
def test_a_progressive_jpeg_must_have_its_last_scan(share: float) -> None:
    data = jpeg("progressive")
    assert not is_accepted(data[: int(len(data) * share)])


def test_large_photos_that_are_decoded_at_a_part_of_their_size_follow_the_same_rule() -> None:
    data = jpeg("one scan", 4000, 3000)
    assert decode(data[:-12], LIMITS).shape == (750, 1000, 3)
    assert is_accepted(data[: int(len(data) * 0.97)])
    assert not is_accepted(data[: int(len(data) * 0.92)])


@pytest.mark.parametrize("kind", ["one scan", "restarts by row", "progressive"])
def test_a_download_that_was_filled_with_zeros_is_cut_where_they_begin(kind: str) -> None:
    data = jpeg(kind)
    half = data[: len(data) // 2]
    assert not is_accepted(half + bytes(len(data) - len(half)))
    assert is_accepted(data[:-12] + bytes(1000))


def test_a_file_that_ends_before_a_restart_marker_lacks_the_rows_behind_it() -> None:
    data = jpeg("restarts by row")
    for number in range(8):
        assert not is_accepted(data[: data.index(bytes((0xFF, 0xD0 + number)))])


def test_any_cut_gives_a_photo_or_a_refusal() -> None:
    dice = random.Random(0)
    for kind in KINDS:
        data = jpeg(kind, 96, 64)
        for _ in range(40):
            is_accepted(data[: dice.randrange(3, len(data))])

"""Any bytes give an upright RGB photo or a refusal with a code, in bounded memory."""

import csv
import random
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from serve_app.codes import Code
from serve_app.settings import Settings
from serve_app.vision.decoding import MAX_JPEG_SCANS, DecodeLimits, ImageRefused, decode
from tests.support.images import (
    FORMATS,
    declare_size,
    encode,
    jpeg_with_scans,
    oriented,
    picture,
    run_length_bmp,
    tiff,
    tiff_with_strips,
    webp_canvas,
)
from tests.support.measure_decoding import STATUS, measure

LIMITS = DecodeLimits(FORMATS, max_pixels=50_000_000)
ANY_SHAPE = replace(LIMITS, max_aspect=1e6)
SKIMAGE_PHOTOS = Path(skimage.__file__).parent / "data"

# As set in `decoding` for production; pytest would turn Pillow's warnings into errors.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")
measured = pytest.mark.skipif(not STATUS.exists(), reason="peak memory is read from Linux's /proc")


def refusal(data: bytes, limits: DecodeLimits = LIMITS) -> Code:
    """The code with which the bytes are refused."""
    with pytest.raises(ImageRefused) as refused:
        decode(data, limits)
    return refused.value.code


def outcome(data: bytes, limits: DecodeLimits = LIMITS) -> Code:
    """The code of the refusal, or OK for a proper photo."""
    try:
        photo = decode(data, limits)
    except ImageRefused as refused:
        return refused.code
    assert photo.dtype == np.uint8
    assert photo.ndim == 3
    assert photo.shape[2] == 3
    assert 1 <= min(photo.shape[:2]) <= max(photo.shape[:2]) <= limits.long_side
    return Code.OK


def flat(mode: str, colour: Any) -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, (24, 16), colour)


def grey16(value: int, dtype: str = "<u2") -> NDArray[Any]:
    """A 16-bit picture of one value, with one corner at the maximum."""
    pixels = np.full((16, 24), value, dtype=dtype)
    pixels[0, 0] = 65535
    return pixels


def floats(value: float, corner: float) -> NDArray[np.float32]:
    """A float picture of one value, except for one corner."""
    pixels = np.full((16, 24), value, dtype=np.float32)
    pixels[0, 0] = corner
    return pixels


def transparent_palette() -> Image.Image:
    """A palette picture whose only colour is fully transparent red."""
    image = flat("P", 0)
    image.putpalette([255, 0, 0])
    image.info["transparency"] = 0
    return image


def animated(image_format: str, **options: Any) -> bytes:
    """Red first, then blue."""
    return encode(flat("RGB", "red"), image_format, save_all=True, append_images=[flat("RGB", "blue")], **options)


# --- formats and modes ----------------------------------------------------------------------------------------------------------

COLOURS = {
    "JPEG": (encode(flat("RGB", "red"), "JPEG"), (255, 0, 0)),
    "grey JPEG": (encode(flat("L", 90), "JPEG"), (90, 90, 90)),
    "progressive JPEG": (encode(flat("RGB", "red"), "JPEG", progressive=True), (255, 0, 0)),
    "CMYK JPEG": (encode(flat("CMYK", (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    "MPO": (animated("MPO"), (255, 0, 0)),
    "PNG": (encode(flat("RGB", "red"), "PNG"), (255, 0, 0)),
    "1-bit PNG": (encode(flat("1", 1), "PNG"), (255, 255, 255)),
    "palette PNG": (encode(flat("RGB", "red").quantize(), "PNG"), (255, 0, 0)),
    "transparent palette PNG": (encode(transparent_palette(), "PNG"), (255, 255, 255)),
    "transparent colour PNG": (encode(flat("RGB", "red"), "PNG", transparency=(255, 0, 0)), (255, 255, 255)),
    "half transparent PNG": (encode(flat("RGBA", (255, 0, 0, 128)), "PNG"), (255, 127, 127)),
    "half transparent grey PNG": (encode(flat("LA", (0, 128)), "PNG"), (127, 127, 127)),
    "16-bit PNG": (encode(grey16(0x8000), "PNG"), (128, 128, 128)),
    "WebP": (encode(flat("RGB", "red"), "WEBP"), (255, 0, 0)),
    "lossless WebP": (encode(flat("RGB", "red"), "WEBP", lossless=True), (255, 0, 0)),
    "half transparent WebP": (encode(flat("RGBA", (255, 0, 0, 128)), "WEBP", lossless=True), (255, 127, 127)),
    "animated WebP": (animated("WEBP", lossless=True), (255, 0, 0)),
    "GIF": (encode(flat("RGB", "red"), "GIF"), (255, 0, 0)),
    "transparent GIF": (encode(transparent_palette(), "GIF", transparency=0), (255, 255, 255)),
    "animated GIF": (animated("GIF"), (255, 0, 0)),
    "BMP": (encode(flat("RGB", "red"), "BMP"), (255, 0, 0)),
    "palette BMP": (encode(flat("L", 90), "BMP"), (90, 90, 90)),
    "TIFF": (encode(flat("RGB", "red"), "TIFF"), (255, 0, 0)),
    "JPEG TIFF": (encode(flat("RGB", "red"), "TIFF", compression="jpeg"), (255, 0, 0)),
    "big TIFF": (encode(flat("RGB", "red"), "TIFF", big_tiff=True), (255, 0, 0)),
    "16-bit TIFF": (encode(grey16(0x8000), "TIFF"), (128, 128, 128)),
    "big-endian 16-bit TIFF": (encode(grey16(0x8000, ">u2"), "TIFF"), (128, 128, 128)),
    "float TIFF of 0 to 1": (encode(floats(0.5, 1.0), "TIFF"), (127, 127, 127)),
    "float TIFF a little over 1": (encode(floats(0.5, 1.01), "TIFF"), (127, 127, 127)),
    "float TIFF of 0 to 255": (encode(floats(90.0, 255.0), "TIFF"), (90, 90, 90)),
    "float TIFF with NaN": (encode(floats(0.5, np.nan), "TIFF"), (127, 127, 127)),
    "float TIFF with infinity": (encode(floats(0.5, np.inf), "TIFF"), (127, 127, 127)),
    "run-length BMP": (run_length_bmp(24, 16), (0, 0, 0)),
    "HEIC": (encode(flat("RGB", "red"), "HEIF"), (255, 0, 0)),
    "grey HEIC": (encode(flat("L", 90), "HEIF"), (90, 90, 90)),
    "half transparent HEIC": (encode(flat("RGBA", (255, 0, 0, 128)), "HEIF", quality=-1), (255, 127, 127)),
    "10-bit HEIC": (encode(grey16(0x8000), "HEIF"), (128, 128, 128)),
    "HEIC of two pictures": (animated("HEIF"), (255, 0, 0)),
    "AVIF": (encode(flat("RGB", "red"), "AVIF"), (255, 0, 0)),
    "half transparent AVIF": (encode(flat("RGBA", (255, 0, 0, 128)), "AVIF"), (255, 127, 127)),
    "animated AVIF": (animated("AVIF"), (255, 0, 0)),
}


@pytest.mark.parametrize("name", COLOURS)
def test_every_format_and_mode_becomes_rgb(name: str) -> None:
    data, colour = COLOURS[name]
    photo = decode(data, LIMITS)
    assert photo.shape == (16, 24, 3)
    assert photo.dtype == np.uint8
    assert np.abs(photo[8, 12].astype(int) - colour).max() <= 3


@pytest.mark.parametrize(
    "name", ["16-bit PNG", "float TIFF of 0 to 1", "transparent palette PNG", "half transparent grey PNG", "1-bit PNG"]
)
def test_reduced_pictures_keep_their_colours(name: str) -> None:
    data, colour = COLOURS[name]
    photo = decode(data, DecodeLimits(FORMATS, max_pixels=1000, long_side=8))
    assert max(photo.shape) == 8
    assert np.abs(photo[-1, -1].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
def test_real_photos_are_decoded(name: str) -> None:
    photo = decode((SKIMAGE_PHOTOS / name).read_bytes(), LIMITS)
    with Image.open(SKIMAGE_PHOTOS / name) as image:
        assert photo.shape[:2] == (image.height, image.width)
        assert np.abs(photo - np.asarray(image.convert("RGB"), dtype=float)).mean() < 1


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(("width", "height"), [(1500, 1100), (2300, 700), (70, 3000), (1, 1)])
def test_large_photos_come_out_with_the_long_side_and_their_shape(image_format: str, width: int, height: int) -> None:
    photo = decode(encode(picture(width, height), image_format), ANY_SHAPE)
    shrink = min(1.0, LIMITS.long_side / max(width, height))
    assert photo.shape[1] == pytest.approx(width * shrink, abs=1)
    assert photo.shape[0] == pytest.approx(height * shrink, abs=1)
    assert max(photo.shape) <= LIMITS.long_side


@pytest.mark.parametrize("image_format", [name for name in FORMATS if name != "HEIF"])  # the encoder refuses to
def test_very_thin_photos_keep_at_least_a_pixel(image_format: str) -> None:
    assert decode(encode(flat("RGB", "red").resize((1, 5000)), image_format), ANY_SHAPE).shape == (LIMITS.long_side, 1, 3)


def test_reduction_gives_what_a_plain_resize_gives() -> None:
    photo = decode(encode(picture(2500, 1600), "PNG"), LIMITS)
    plain = np.asarray(picture(2500, 1600).resize((photo.shape[1], photo.shape[0])), dtype=float)
    assert np.abs(photo - plain).max() <= 3


# --- orientation ----------------------------------------------------------------------------------------------------------------

# How each EXIF orientation stores an upright picture (CIPA DC-008, Orientation: what the stored first row and first column are).
STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}
ORIENTABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 95}),
    "MPO": ("MPO", {"quality": 95, "save_all": True, "append_images": [picture()]}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"lossless": True}),
    "TIFF": ("TIFF", {}),
    "packed TIFF": ("TIFF", {"compression": "tiff_lzw"}),
    "HEIC": ("HEIF", {"quality": -1, "chroma": 444}),
    "AVIF": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ORIENTABLE)
def test_photos_are_turned_upright_once(kind: str, orientation: int) -> None:
    image_format, options = ORIENTABLE[kind]
    upright = np.asarray(picture())
    stored = np.ascontiguousarray(STORED[orientation](upright))
    photo = decode(encode(stored, image_format, exif=oriented(orientation).tobytes(), **options), LIMITS)
    assert photo.shape == upright.shape
    assert np.abs(photo - upright.astype(float)).mean() < 2


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("kind", ORIENTABLE)
def test_large_turned_photos_have_the_long_side_too(kind: str, orientation: int) -> None:
    image_format, options = ORIENTABLE[kind]
    photo = decode(encode(picture(2100, 900), image_format, exif=oriented(orientation).tobytes(), **options), LIMITS)
    assert photo.shape == (LIMITS.long_side, 429, 3)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"garbage, no TIFF header", b"Exif\0\0II*\0\xff\xff\xff\xff", oriented(99).tobytes()])
def test_damaged_metadata_takes_nothing_from_the_photo(image_format: str, exif: bytes) -> None:
    assert decode(encode(picture(), image_format, exif=exif), LIMITS).shape == (32, 48, 3)


# --- refusals -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        b"<svg/>",
        b"%PDF-1.7",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\xff\xd8",
        b"\0\0\0\x20ftypisom",
        b"\0\0\0\x20ftypmif1\0\0\0\0",
        bytes(1000),
    ],
)
def test_other_bytes_are_not_an_image(data: bytes) -> None:
    assert refusal(data) is Code.NOT_AN_IMAGE


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_image_by_its_first_bytes_only_is_corrupt(image_format: str) -> None:
    assert refusal(encode(picture(), image_format)[:14] + b"and then something else altogether" * 9) is Code.CORRUPT_IMAGE


@pytest.mark.parametrize("name", COLOURS)
def test_truncated_files_are_corrupt(name: str) -> None:
    data = COLOURS[name][0]
    for length in (len(data) // 2, 20):
        assert refusal(data[:length]) is Code.CORRUPT_IMAGE


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_file_cut_anywhere_is_refused_or_whole(image_format: str) -> None:
    data = encode(picture(), image_format)
    for length in range(len(data)):
        outcome(data[:length])


@pytest.mark.parametrize("image_format", [name for name in FORMATS if name != "MPO"])
def test_formats_that_are_not_listed_are_not_accepted(image_format: str) -> None:
    others = tuple(name for name in FORMATS if name != image_format)
    assert refusal(encode(picture(), image_format), DecodeLimits(others, 50_000_000)) is Code.NOT_AN_IMAGE
    assert outcome(encode(picture(), image_format), DecodeLimits((image_format,), 50_000_000)) is Code.OK


def test_mpo_and_jpeg_are_accepted_each_by_itself() -> None:
    assert outcome(animated("MPO"), DecodeLimits(("MPO",), 50_000_000)) is Code.OK
    assert refusal(animated("MPO"), DecodeLimits(("JPEG",), 50_000_000)) is Code.NOT_AN_IMAGE


def test_unknown_formats_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"\['JXL'\].*JPEG"):
        DecodeLimits(("JPEG", "JXL"), 50_000_000)


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_limit_of_pixels_is_inclusive(image_format: str) -> None:
    data = encode(picture(64, 64), image_format)  # smaller ones are padded to this size in an HEIC
    assert outcome(data, DecodeLimits(FORMATS, max_pixels=4096)) is Code.OK
    assert refusal(data, DecodeLimits(FORMATS, max_pixels=4095)) is Code.IMAGE_TOO_LARGE


@pytest.mark.parametrize(("width", "height"), [(200, 10), (10, 200)])
def test_the_limit_of_the_aspect_is_inclusive(width: int, height: int) -> None:
    assert outcome(encode(picture(width, height), "PNG")) is Code.OK
    longer = encode(picture(width + (width > height), height + (height > width)), "PNG")
    assert refusal(longer) is Code.IMAGE_TOO_LARGE


@pytest.mark.parametrize("image_format", FORMATS)
def test_formats_that_are_decoded_whole_have_a_limit_of_their_own(image_format: str) -> None:
    limits = DecodeLimits(FORMATS, max_pixels=4_096, max_unreduced_pixels=4_095)
    expected = Code.OK if image_format in ("JPEG", "MPO", "HEIF", "AVIF") else Code.IMAGE_TOO_LARGE
    assert outcome(encode(picture(64, 64), image_format), limits) is expected


def test_the_worst_photos_of_a_few_bytes_are_refused() -> None:
    for data in (webp_canvas(16_383, 3_051), declare_size(COLOURS["PNG"][0], 1, 50_000_000), declare_size(COLOURS["PNG"][0], 7_071, 7_071)):
        assert refusal(data) is Code.IMAGE_TOO_LARGE
    assert DecodeLimits.of(Settings(_env_file=None)) == LIMITS


BOMBS = {
    "PNG of 10^12 pixels": declare_size(encode(flat("RGB", "red"), "PNG"), 1_000_000, 1_000_000),
    "GIF of 4 * 10^9 pixels": declare_size(encode(flat("RGB", "red"), "GIF"), 65_535, 65_535),
    "BMP of 10^12 pixels": declare_size(encode(flat("RGB", "red"), "BMP"), 1_000_000, 1_000_000),
    "TIFF of 10^12 pixels": tiff([(256, 1_000_000), (257, 1_000_000), (273, 8), (278, 1_000_000), (279, 9)], bytes(9)),
    "packed TIFF of 10^12 pixels": tiff([(256, 1_000_000), (257, 1_000_000), (259, 5), (273, 8), (278, 1_000_000), (279, 9)], bytes(9)),
    "small TIFF with a tile of 10^9 pixels": tiff(
        [(256, 16), (257, 16), (259, 5), (322, 1 << 20), (323, 1 << 10), (324, 8), (325, 9)], bytes(9)
    ),
    "WebP of 10^11 pixels": webp_canvas(1 << 24, 10_000),
    "JPEG of 4 * 10^9 pixels": declare_size(encode(flat("RGB", "red"), "JPEG"), 65_500, 65_500),
    "HEIC of 9 * 10^8 pixels": declare_size(encode(flat("RGB", "red").resize((1_024, 1_024)), "HEIF"), 30_000, 30_000),
    "AVIF of 10^8 pixels": declare_size(encode(flat("RGB", "red"), "AVIF"), 10_000, 10_000),
    "JPEG of 2.8 * 10^8 pixels": declare_size(encode(flat("L", 90), "JPEG"), 16_000, 17_500) + bytes(1_000_000),
}


@measured
@pytest.mark.parametrize("name", BOMBS)
def test_declared_sizes_are_refused_before_pixels_are_allocated(name: str) -> None:
    result = measure(BOMBS[name])
    assert result.outcome == Code.IMAGE_TOO_LARGE
    assert result.megabytes < 30


def test_time_bombs_are_refused() -> None:
    """Within the byte and pixel limits, but they take minutes or gigabytes to decode."""
    assert outcome(jpeg_with_scans(MAX_JPEG_SCANS)) is Code.OK
    assert refusal(jpeg_with_scans(MAX_JPEG_SCANS + 1)) is Code.CORRUPT_IMAGE
    assert outcome(tiff_with_strips(5_000), ANY_SHAPE) is Code.OK
    assert refusal(tiff_with_strips(1_000_000), ANY_SHAPE) is Code.IMAGE_TOO_LARGE
    assert outcome(run_length_bmp(300, 200)) is Code.OK
    assert refusal(run_length_bmp(3_000, 3_000)) is Code.IMAGE_TOO_LARGE


# --- memory ---------------------------------------------------------------------------------------------------------------------


@measured
def test_large_jpegs_are_never_decoded_in_full() -> None:
    result = measure(encode(flat("RGB", "red").resize((5_000, 5_000)), "JPEG"))
    assert result.outcome == [LIMITS.long_side, LIMITS.long_side, 3]
    assert result.megabytes < 40  # decoded in full, Pillow needs 100


@measured
@pytest.mark.parametrize(("image_format", "options"), [("PNG", {}), ("JPEG", {"progressive": True, "subsampling": 0})])
def test_large_photos_are_decoded_one_at_a_time(image_format: str, options: dict[str, Any]) -> None:
    data = encode(flat("RGB", "red").resize((4_000, 4_000)), image_format, **options)
    alone, together = measure(data), measure(data, threads=3)
    assert alone.megabytes > 50
    assert together.megabytes < 2 * alone.megabytes  # three at a time would need three times as much


# --- broken files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*COLOURS, "with metadata"])
def test_flipped_bytes_give_a_photo_or_a_refusal(name: str) -> None:
    data = encode(picture(), "JPEG", exif=oriented(6)) if name == "with metadata" else COLOURS[name][0]
    dice = random.Random(name)
    limits = DecodeLimits(FORMATS, max_pixels=1_000_000)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(dice.choice((1, 2, 8))):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        outcome(bytes(broken), limits)


def test_random_bytes_give_a_refusal() -> None:
    dice = random.Random(0)
    starts = [
        b"",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x20\0\0\0WEBPVP8 ",
        b"GIF89a",
        b"BM",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        encode(picture(), "HEIF")[:200],
        encode(picture(), "AVIF")[:200],
    ]
    for start in starts:
        for _ in range(30):
            assert outcome(start + dice.randbytes(dice.randrange(200))) is not Code.OK


def test_malformed_files_give_a_photo_or_a_refusal(malformed_data: Path) -> None:
    with (malformed_data / "index.csv").open(newline="") as index:
        rows = list(csv.DictReader(index))
    with ThreadPoolExecutor(1) as pool:
        found = [pool.submit(outcome, (malformed_data / row["file"]).read_bytes()) for row in rows]
        codes = [code.result(timeout=60) for code in found]
    for row, code in zip(rows, codes, strict=True):
        if row["format"] in FORMATS:  # what Pillow reads, so must we
            assert code is Code.OK, row
        if "DecompressionBombError" in row["pillow_13_outcome"]:
            assert code is not Code.OK, row


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "group4", "tiff_deflate", "packbits"])
def test_damaged_tiffs_write_nothing_to_the_terminal(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    """libtiff would print its warnings and errors."""
    image = picture(200, 100).convert("1") if compression == "group4" else picture()
    data = encode(image, "TIFF", compression=compression)
    dice = random.Random(compression)
    for _ in range(100):
        broken = bytearray(data)
        broken[dice.randrange(4, len(broken))] = dice.randrange(256)
        outcome(bytes(broken), replace(LIMITS, max_pixels=1_000_000))
    assert capfd.readouterr() == ("", "")


def test_decoding_leaves_the_warnings_of_others_alone() -> None:
    """Threads that leave `warnings.catch_warnings` out of order hide all warnings permanently."""
    odd = encode(flat("RGB", "red"), "TIFF")
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(outcome, [odd] * 200))
    assert list(warnings.filters) == before


def test_what_refused_it_is_kept_for_the_log() -> None:
    with pytest.raises(ImageRefused, match="corrupt_image") as refused:
        decode(b"BM" + struct.pack("<I", 99), LIMITS)
    assert refused.value.__cause__ is not None

"""Bytes to an upright RGB photo, in bounded memory and time.

The header is read first and the declared size checked, so that a file that promises 10^12 pixels costs nothing. JPEGs are decoded
in draft mode (at 1/2, 1/4 or 1/8 of their size, in the DCT domain), straight to about what the models need. Whatever Pillow
raises on broken bytes becomes an `ImageRefused` with a code; nothing else leaves this module.
"""

import io
import struct
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from serve_app.codes import Code
from serve_app.cropping import RGB

# Our own limit is checked on the header; Pillow's guard would only warn, or raise at another number.
Image.MAX_IMAGE_PIXELS = None

# How files of the accepted formats begin. A file that begins so and cannot be opened is damaged; any other is not an image.
MAGIC: dict[str, tuple[bytes, ...]] = {
    "JPEG": (b"\xff\xd8\xff",),
    "MPO": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
}
WEBP_FORM = b"WEBP"

# What undoes each EXIF orientation.
UPRIGHT: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class DecodeLimits:
    """What is accepted, and how large the photo comes out.

    Attributes:
        formats: Pillow's names of the accepted formats; each must be in `MAGIC`.
        max_pixels: most pixels that the header may declare.
        long_side: larger photos are reduced to this long side, pixels. 1024 leaves 200 pixels to a person of 20 % of the height.
        full_size_pixels: photos that still decode to more pixels than this (after draft mode) do so one at a time.
    """

    formats: Sequence[str]
    max_pixels: int
    long_side: int = 1024
    full_size_pixels: int = 12_000_000


class ImageRefused(Exception):
    """The bytes are no photo that we take; `code` says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


_one_large_at_a_time = threading.Lock()


def decode(data: bytes, limits: DecodeLimits) -> RGB:
    """Decodes the first frame: upright (EXIF), RGB, uint8, shape (H, W, 3), at most `limits.long_side` long.

    Raises:
        ImageRefused: NOT_AN_IMAGE, IMAGE_TOO_LARGE or CORRUPT_IMAGE.
    """
    if not _looks_like_an_image(data, limits.formats):
        raise ImageRefused(Code.NOT_AN_IMAGE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the pixels are what counts
            return _decode(data, limits)
    except ImageRefused:
        raise
    except Exception as error:  # Pillow raises a dozen kinds on broken bytes: OSError, ValueError, SyntaxError, struct.error, ...
        raise ImageRefused(Code.CORRUPT_IMAGE) from error


def _looks_like_an_image(data: bytes, formats: Sequence[str]) -> bool:
    for name in formats:
        if data.startswith(MAGIC[name]) and (name != "WEBP" or data[8:12] == WEBP_FORM):
            return True
    return False


def _decode(data: bytes, limits: DecodeLimits) -> RGB:
    if data[8:12] == WEBP_FORM:
        _check_size(*_webp_size(data), limits)  # Pillow's WebP reader reserves the whole canvas when it opens a file
    try:
        image = Image.open(io.BytesIO(data), formats=list(limits.formats))
    except UnidentifiedImageError as error:
        raise ImageRefused(Code.CORRUPT_IMAGE) from error
    with image:
        _check_size(*image.size, limits)
        shrink = limits.long_side / max(image.size)
        image.draft(None, (int(image.width * shrink), int(image.height * shrink)))
        if image.width * image.height <= limits.full_size_pixels:
            return _pixels(image, limits)
        with _one_large_at_a_time:
            return _pixels(image, limits)


def _check_size(width: int, height: int, limits: DecodeLimits) -> None:
    if width * height > limits.max_pixels:
        raise ImageRefused(Code.IMAGE_TOO_LARGE)
    if width < 1 or height < 1:
        raise ImageRefused(Code.CORRUPT_IMAGE)


def _pixels(image: Image.Image, limits: DecodeLimits) -> RGB:
    image.load()
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))  # after load(), which turns a TIFF by itself
    longest = max(image.size)
    # Whole-number reduction first, on the pixels as they are stored: cheap, and everything after it is small.
    factor = longest // limits.long_side
    if factor > 1 and image.mode in ("L", "RGB", "RGBA", "CMYK", "LA", "YCbCr"):
        image = image.reduce(factor)
    rgb = _to_rgb(image)
    if max(rgb.size) > limits.long_side:
        rgb.thumbnail((limits.long_side, limits.long_side), Image.Resampling.BILINEAR)
    return np.asarray(rgb if turn is None else rgb.transpose(turn))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Palettes, alpha (over white), CMYK, 16 bit and float pixels to 8-bit RGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _from_deep_pixels(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        alpha = image.convert("RGBA")
        white = Image.new("RGBA", alpha.size, "white")
        return Image.alpha_composite(white, alpha).convert("RGB")
    return image.convert("RGB")


def _from_deep_pixels(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float32)
    top = float(values.max(initial=0.0))
    # 16-bit files use their whole range; floats are 0 to 1 or 0 to 255 by convention.
    scale = 255.0 if image.mode == "F" and top <= 1.0 else 1.0 if top <= 255.0 else 255.0 / 65535.0
    grey = np.nan_to_num(values * scale).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk (developers.google.com/speed/webp/docs/riff_container)."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise ImageRefused(Code.CORRUPT_IMAGE)

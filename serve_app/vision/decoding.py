"""Bytes to an upright RGB photo, in bounded memory and time.

What a file declares is read first and checked (see `image_headers`), so that a file that promises 10^12 pixels costs nothing. JPEGs
are decoded in draft mode (at 1/2, 1/4 or 1/8 of their size, in the DCT domain), straight to about what the models need. Whatever
Pillow raises on broken bytes becomes an `ImageRefused` with a code; nothing else leaves this module.
"""

import io
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from serve_app.codes import Code
from serve_app.vision.image_headers import SIGNATURES, jpeg_scans, tiff_layout, webp_size
from serve_app.vision.images import RGB

# Our own limit is checked on the header; Pillow's guard would only warn, or raise at another number.
Image.MAX_IMAGE_PIXELS = None
# A large image in one block: glibc gives more than 32 MB back as soon as it is freed, but keeps Pillow's usual 16 MB for the thread.
Image.core.set_block_size(1 << 28)  # type: ignore[attr-defined] # documented, but not exported
# Pillow warns of odd metadata; the pixels are what counts. Not `catch_warnings`, which threads undo for each other.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Files within the limits of bytes and pixels can still take minutes or gigabytes. Photos stay far below these:
MAX_JPEG_SCANS = 50  # each goes over all pixels; a progressive JPEG has about ten
MAX_TIFF_PARTS = 50_000  # strips or tiles; each is an object in Python
MAX_BMP_RLE_PIXELS = 2_000_000  # Pillow unpacks run lengths in Python

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
        formats: Pillow's names of the accepted formats, of those in `image_headers.SIGNATURES`.
        max_pixels: most pixels that the header may declare.
        long_side: larger photos are reduced to this long side, pixels. 1000 leaves 200 pixels to a person of 20 % of the height, and
            draft mode takes photos of phones (4000 and 4032 pixels) there at a quarter of their size: 38 ms instead of 56 at 1024.
        full_size_pixels: photos that need more pixels than this in memory (after draft mode) are decoded one at a time.
    """

    formats: Sequence[str]
    max_pixels: int
    long_side: int = 1000
    full_size_pixels: int = 12_000_000

    def __post_init__(self) -> None:
        if unknown := set(self.formats) - set(SIGNATURES):
            raise ValueError(f"no such image formats: {sorted(unknown)}; known are {sorted(SIGNATURES)}")


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
    if not any(SIGNATURES[name].match(data) for name in limits.formats):
        raise ImageRefused(Code.NOT_AN_IMAGE)
    try:
        _check_header(data, limits)
        return _decode(data, limits)
    except ImageRefused:
        raise
    except Exception as error:  # Pillow raises a dozen kinds on broken bytes: OSError, ValueError, SyntaxError, struct.error, ...
        raise ImageRefused(Code.CORRUPT_IMAGE) from error


def _check_header(data: bytes, limits: DecodeLimits) -> None:
    """Checks what would be spent before Pillow tells the size, or whatever the size."""
    if SIGNATURES["WEBP"].match(data):
        _check_size(*webp_size(data), limits)
    elif SIGNATURES["TIFF"].match(data):
        layout = tiff_layout(data)
        if layout.parts > MAX_TIFF_PARTS or layout.tile_pixels > limits.max_pixels:
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
    elif SIGNATURES["JPEG"].match(data) and jpeg_scans(data) > MAX_JPEG_SCANS:
        raise ImageRefused(Code.CORRUPT_IMAGE)


def _decode(data: bytes, limits: DecodeLimits) -> RGB:
    # Pillow reads MPO, a JPEG with further pictures behind it, under the name of JPEG.
    readers = {"JPEG" if name == "MPO" else name for name in limits.formats}
    with Image.open(io.BytesIO(data), formats=sorted(readers)) as image:
        if image.format not in limits.formats:
            raise ImageRefused(Code.NOT_AN_IMAGE)
        _check_size(*image.size, limits)
        if image.width * image.height > MAX_BMP_RLE_PIXELS and any(tile.codec_name == "bmp_rle" for tile in image.tile):
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
        # A progressive JPEG keeps all its coefficients in memory, whatever it is decoded to.
        needed = image.width * image.height if image.info.get("progressive") else 0
        shrink = limits.long_side / max(image.size)
        image.draft(None, (max(1, int(image.width * shrink)), max(1, int(image.height * shrink))))
        if max(needed, image.width * image.height) <= limits.full_size_pixels:
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
    turn = _turn(image)  # after load(), which turns a TIFF by itself
    averageable = _averageable(image)
    # Whole-number reduction first: cheap, and everything after it is small.
    factor = max(image.size) // limits.long_side
    rgb = _to_rgb(averageable.reduce(factor) if factor > 1 else averageable)
    rgb.thumbnail((limits.long_side, limits.long_side), Image.Resampling.BILINEAR)
    return np.asarray(rgb if turn is None else rgb.transpose(turn))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What undoes the EXIF orientation; None without one."""
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as many kinds as on broken pixels, but damaged metadata takes nothing from the photo
        return None


def _averageable(image: Image.Image) -> Image.Image:
    """The image in a mode whose pixels can be averaged, at most four bytes each: no palettes and no packed pixels."""
    if image.mode.startswith("I;16"):
        return image.convert("I")
    if image.mode in ("I", "F", "LA", "RGBA", "CMYK"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Alpha (over white), CMYK, 16-bit and float pixels to 8-bit RGB."""
    if image.mode in ("I", "F"):
        return _from_deep_pixels(image)
    if image.mode in ("LA", "RGBA"):
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_deep_pixels(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    top = float(values.max())
    # 16-bit files use their whole range; floats are 0 to 1 (and a little over, after sharpening) or 0 to 255 by convention.
    scale = 255.0 if image.mode == "F" and top < 2.0 else 1.0 if top <= 255.0 else 255.0 / 65535.0
    return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8)).convert("RGB")

"""Bytes to an upright RGB photo, in bounded memory and time.

The header is checked first (see `image_headers`), so a file that declares 10^12 pixels costs nothing. JPEGs are decoded in draft mode (at
1/2, 1/4 or 1/8 of their size, in the DCT domain) to about the size that the models need. Any error of Pillow on broken bytes becomes
an `ImageRefused` with a code; this module raises nothing else.
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

# We check our own limit on the header; Pillow's guard would only warn, or raise at another size.
Image.MAX_IMAGE_PIXELS = None
# One block per image: glibc returns blocks over 32 MB to the system when freed, but keeps Pillow's usual 16 MB blocks for the thread.
Image.core.set_block_size(1 << 28)  # type: ignore[attr-defined] # documented, but not exported
# Pillow warns about odd metadata, which does not matter here. `catch_warnings` is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")

# A file within the limits of bytes and pixels can still take minutes or gigabytes. Photos stay far below these limits:
MAX_JPEG_SCANS = 50  # each scan visits all pixels; a progressive JPEG has about ten
MAX_TIFF_PARTS = 50_000  # strips or tiles; each is a Python object
MAX_BMP_RLE_PIXELS = 2_000_000  # Pillow decodes run lengths in Python

# The transposition that undoes each EXIF orientation.
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
    """Which files are accepted, and the size of the decoded photo.

    Attributes:
        formats: Pillow's names of the accepted formats, a subset of `image_headers.SIGNATURES`.
        max_pixels: the most pixels that a header may declare.
        long_side: the longest side of a decoded photo, pixels. At 1000, a person of 20 % of the height still has 200 pixels, and draft
            mode reduces phone photos (4000 and 4032 pixels) to a quarter: 38 ms, against 56 ms at 1024.
        full_size_pixels: photos with more pixels than this in memory (after draft mode) are decoded one at a time.
    """

    formats: Sequence[str]
    max_pixels: int
    long_side: int = 1000
    full_size_pixels: int = 12_000_000

    def __post_init__(self) -> None:
        if unknown := set(self.formats) - set(SIGNATURES):
            raise ValueError(f"no such image formats: {sorted(unknown)}; known are {sorted(SIGNATURES)}")


class ImageRefused(Exception):
    """The bytes are not an acceptable photo; `code` says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


_one_large_at_a_time = threading.Lock()


def decode(data: bytes, limits: DecodeLimits) -> RGB:
    """Decodes the first frame: upright (EXIF), RGB, uint8, shape (H, W, 3), neither side longer than `limits.long_side`.

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
    """Checks what costs time or memory before Pillow tells the size, or regardless of the size."""
    if SIGNATURES["WEBP"].match(data):
        _check_size(*webp_size(data), limits)
    elif SIGNATURES["TIFF"].match(data):
        layout = tiff_layout(data)
        if layout.parts > MAX_TIFF_PARTS or layout.tile_pixels > limits.max_pixels:
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
    elif SIGNATURES["JPEG"].match(data) and jpeg_scans(data) > MAX_JPEG_SCANS:
        raise ImageRefused(Code.CORRUPT_IMAGE)


def _decode(data: bytes, limits: DecodeLimits) -> RGB:
    # Pillow opens MPO, a JPEG followed by further pictures, with its JPEG reader.
    readers = {"JPEG" if name == "MPO" else name for name in limits.formats}
    with Image.open(io.BytesIO(data), formats=sorted(readers)) as image:
        if image.format not in limits.formats:
            raise ImageRefused(Code.NOT_AN_IMAGE)
        _check_size(*image.size, limits)
        if image.width * image.height > MAX_BMP_RLE_PIXELS and any(tile.codec_name == "bmp_rle" for tile in image.tile):
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
        # Decoding a progressive JPEG keeps all coefficients in memory, whatever the draft size.
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
    turn = _turn(image)  # after load(), which itself applies the orientation of a TIFF
    averageable = _averageable(image)
    # An integer reduction first: it is cheap, and leaves little for the later steps.
    factor = max(image.size) // limits.long_side
    rgb = _to_rgb(averageable.reduce(factor) if factor > 1 else averageable)
    rgb.thumbnail((limits.long_side, limits.long_side), Image.Resampling.BILINEAR)
    return np.asarray(rgb if turn is None else rgb.transpose(turn))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The transposition that undoes the EXIF orientation; None if none is needed."""
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # of many kinds; a photo with damaged metadata is still a photo
        return None


def _averageable(image: Image.Image) -> Image.Image:
    """Converts to a mode whose pixels can be averaged, without palettes or packed bits, at most four bytes per pixel."""
    if image.mode.startswith("I;16"):
        return image.convert("I")
    if image.mode in ("I", "F", "LA", "RGBA", "CMYK"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts alpha (over white), CMYK, 16-bit and float pixels to 8-bit RGB."""
    if image.mode in ("I", "F"):
        return _from_deep_pixels(image)
    if image.mode in ("LA", "RGBA"):
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_deep_pixels(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    top = float(values.max())
    # 16-bit files use their whole range; floats are 0 to 1 (slightly more after sharpening) or 0 to 255 by convention.
    scale = 255.0 if image.mode == "F" and top < 2.0 else 1.0 if top <= 255.0 else 255.0 / 65535.0
    return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8)).convert("RGB")

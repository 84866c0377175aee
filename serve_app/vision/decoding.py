"""Bytes to an upright RGB photo, in bounded memory and time.

The header is checked first (see `image_headers` and `image_parts`), so a file that declares 10^12 pixels, or millions of parts, costs
next to nothing. JPEGs are decoded in draft mode (at 1/2, 1/4 or 1/8 of their size, in the DCT domain) to about the size that the models
need. Any error of Pillow on broken bytes becomes an `ImageRefused` with a code; this module raises nothing else.
"""

import contextlib
import ctypes
import io
import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, BmpImagePlugin, ExifTags, Image, JpegImagePlugin

from serve_app.codes import Code
from serve_app.settings import Settings
from serve_app.vision.cut_jpeg import decoded_share, with_end, with_noise
from serve_app.vision.image_headers import SIGNATURES, tiff_layout, webp_size
from serve_app.vision.image_parts import Essence, Steps, essence
from serve_app.vision.images import RGB

# We check our own limit on the header; Pillow's guard would only warn, or raise at another size.
Image.MAX_IMAGE_PIXELS = None
# One block per image: glibc returns blocks over 32 MB to the system when freed, but keeps Pillow's usual 16 MB blocks for the thread.
Image.core.set_block_size(1 << 28)  # type: ignore[attr-defined] # documented, but not exported
# Pillow warns about odd metadata, which does not matter here. `catch_warnings` is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
# libtiff prints what is wrong with a file; Pillow, which raises an error, silences its warnings only.
with contextlib.suppress(AttributeError):  # a Pillow without libtiff
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)  # type: ignore[attr-defined] # as above
# One thread for each photo: other photos need the other cores. An embedded thumbnail may show something else than the photo.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)

# A file within the limits of bytes and pixels can still take minutes or gigabytes. Photos stay far below these limits:
MAX_JPEG_SCANS = 50  # each scan visits all pixels; a progressive JPEG has about ten
MAX_TIFF_PARTS = 50_000  # strips or tiles; each is a Python object
MAX_BMP_RLE_PIXELS = 2_000_000  # Pillow decodes run lengths in Python

LARGE_FORMATS = frozenset({"JPEG", "MPO", "HEIF", "AVIF"})
"""Phones write photos of 48 and 50 megapixels in these only, so only these may have more than `max_unreduced_pixels`."""

LEAST_SHARE = 0.95  # of the rows of a JPEG that ends too early

# A pixel of a JPEG in draft mode costs a tenth of what it does elsewhere: 1.1 to 2.5 ns, and 8 (progressive JPEG) to 40 ns (HEIF).
DRAFT_DISCOUNT = 8

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
        max_unreduced_pixels: the same for all formats but `LARGE_FORMATS`: they are decoded whole, before they are reduced.
        max_aspect: the longer side divided by the shorter one, at most.
        long_side: the longest side of a decoded photo, pixels. At 1000, a person of 20 % of the height still has 200 pixels, and draft
            mode reduces phone photos (4000 and 4032 pixels) to a quarter: 38 ms, against 56 ms at 1024.
        full_size_pixels: photos with more pixels than this in memory (after draft mode) are decoded one at a time.
    """

    formats: Sequence[str]
    max_pixels: int
    max_unreduced_pixels: int = 16_000_000
    max_aspect: float = 20.0
    long_side: int = 1000
    full_size_pixels: int = 12_000_000

    def __post_init__(self) -> None:
        if unknown := set(self.formats) - set(SIGNATURES):
            raise ValueError(f"no such image formats: {sorted(unknown)}; known are {sorted(SIGNATURES)}")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings name."""
        return cls(settings.image_formats, settings.max_image_pixels, settings.max_unreduced_pixels, settings.max_image_aspect)

    def check_size(self, width: int, height: int, kind: str) -> None:
        """Checks the declared size of a photo of a format.

        Raises:
            ImageRefused: IMAGE_TOO_LARGE or CORRUPT_IMAGE.
        """
        most = self.max_pixels if kind in LARGE_FORMATS else min(self.max_pixels, self.max_unreduced_pixels)
        if width * height > most or max(width, height) > self.max_aspect * min(width, height) > 0:
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
        if width < 1 or height < 1:
            raise ImageRefused(Code.CORRUPT_IMAGE)


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
    return EncodedPhoto(data, limits).decode()


class EncodedPhoto:
    """A photo whose header has been checked, and whose pixels are still encoded.

    Attributes:
        size: width and height as it is meant to be seen, pixels.
        work: what decoding will cost, in pixels of a format that is decoded whole.

    Raises:
        ImageRefused: as `decode`; damage among the pixels shows only there.
    """

    def __init__(self, data: bytes, limits: DecodeLimits) -> None:
        self._limits = limits
        with _refusals():
            self._essence, self._kind = _checked(data, limits)
            self._image = self._open(self._essence.data if self._essence.ends else with_end(self._essence.data))
            width, height = self._image.size
            limits.check_size(width, height, self._kind)
            if self._essence.pixels > limits.max_pixels:
                raise ImageRefused(Code.IMAGE_TOO_LARGE)
            if width * height > MAX_BMP_RLE_PIXELS and _is_run_length_bmp(self._image):
                raise ImageRefused(Code.IMAGE_TOO_LARGE)
            self.size = (height, width) if _orientation(self._image, self._essence) >= 5 else (width, height)
            self.work, self._memory = self._draft(self._image)
            if not self._essence.ends:
                self.work *= 2

    def decode(self) -> RGB:
        """The photo, as `decode` describes it. To be called once."""
        with _refusals(), self._image as image:
            if self._memory <= self._limits.full_size_pixels:
                return self._pixels(image)
            with _one_large_at_a_time:
                return self._pixels(image)

    def _open(self, data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data), formats=[self._kind])

    def _draft(self, image: Image.Image) -> tuple[int, int]:
        """Has a JPEG decoded at about the size that is needed; the cost of decoding, and the pixels that will be in memory."""
        pixels = max(image.width * image.height, self._essence.pixels)
        shrink = self._limits.long_side / max(image.size)
        image.draft(None, (max(1, int(image.width * shrink)), max(1, int(image.height * shrink))))
        if self._kind == "AVIF":  # the picture inside may be larger than the file declares, up to libavif's limit: never a small one
            return (max(pixels, self._limits.full_size_pixels + 1),) * 2
        if self._kind != "JPEG" or image.info.get("progressive"):  # which keeps all coefficients, whatever the draft size
            return pixels, pixels
        return pixels // DRAFT_DISCOUNT, image.width * image.height

    def _pixels(self, image: Image.Image) -> RGB:
        # Before load(), which itself applies the orientation of a TIFF.
        turn = None if self._kind == "TIFF" else UPRIGHT.get(_orientation(image, self._essence))
        image.load()
        if not self._essence.ends and self._share(image) < LEAST_SHARE:
            raise ImageRefused(Code.CORRUPT_IMAGE)
        averageable = _averageable(image)
        # An integer reduction first: it is cheap, and leaves little for the later steps.
        factor = max(image.size) // self._limits.long_side
        rgb = _to_rgb(averageable.reduce(factor) if factor > 1 else averageable)
        rgb.thumbnail((self._limits.long_side, self._limits.long_side), Image.Resampling.BILINEAR)
        return np.asarray(rgb if turn is None else rgb.transpose(turn))

    def _share(self, image: Image.Image) -> float:
        """How much of a JPEG without its end is there."""
        with self._open(with_noise(self._essence.data)) as other:
            assert isinstance(other, JpegImagePlugin.JpegImageFile)
            height = other.height
            self._draft(other)
            block = 8 * max(vertical for _, _, vertical, _ in other.layer) * other.height // height
            return decoded_share(image, other, max(block, 1))


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ImageRefused:
        raise
    except Exception as error:  # Pillow raises a dozen kinds on broken bytes: OSError, ValueError, SyntaxError, struct.error, ...
        raise ImageRefused(Code.CORRUPT_IMAGE) from error


def _checked(data: bytes, limits: DecodeLimits) -> tuple[Essence, str]:
    """What the pixels need, and Pillow's reader of the format. Checks what costs time or memory before Pillow tells the size."""
    kind = next((name for name in limits.formats if SIGNATURES[name].match(data)), None)
    if kind is None:
        raise ImageRefused(Code.NOT_AN_IMAGE)
    kind = "JPEG" if kind == "MPO" else kind  # the first picture of an MPO is a JPEG
    if kind == "TIFF":
        layout = tiff_layout(data)
        if layout.parts > MAX_TIFF_PARTS or layout.tile_pixels > limits.max_unreduced_pixels:
            raise ImageRefused(Code.IMAGE_TOO_LARGE)
    found = essence(data, kind, Steps())
    if kind == "WEBP":
        limits.check_size(*webp_size(found.data), kind)
    if kind == "JPEG" and ("MPO" if found.is_mpo else "JPEG") not in limits.formats:
        raise ImageRefused(Code.NOT_AN_IMAGE)
    if found.scans > MAX_JPEG_SCANS or not (found.ends or found.refined):
        raise ImageRefused(Code.CORRUPT_IMAGE)
    return found, kind


def _is_run_length_bmp(image: Image.Image) -> bool:
    return isinstance(image, BmpImagePlugin.BmpImageFile) and any(tile.codec_name == "bmp_rle" for tile in image.tile)


def _orientation(image: Image.Image, found: Essence) -> int:
    """The EXIF orientation, 1 to 8. Pillow gives the rotation and reflection of an AVIF this way, and applies that of a TIFF."""
    if image.format not in ("TIFF", "AVIF"):
        return found.orientation
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # of many kinds; a photo with damaged metadata is still a photo
        return 1
    return orientation if orientation in UPRIGHT else 1


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

"""What an image header declares, read without Pillow where Pillow would already spend memory or time on it."""

import io
import re
import struct
from typing import NamedTuple

from PIL.TiffImagePlugin import STRIPOFFSETS, TILELENGTH, TILEOFFSETS, TILEWIDTH, ImageFileDirectory_v2

# The first bytes of each supported format, by Pillow's names. A file that starts so and cannot be opened is damaged.
SIGNATURES: dict[str, re.Pattern[bytes]] = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "MPO": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
}

BIG_TIFF = 43


class TiffLayout(NamedTuple):
    """The number of strips or tiles of a TIFF, and the pixels of one tile (0 with strips, which are never larger than the image)."""

    parts: int
    tile_pixels: int


def jpeg_scans(data: bytes) -> int:
    """Scans of a JPEG, its thumbnail and pictures appended to it: counts start-of-scan markers, whose length stays below 256."""
    return data.count(b"\xff\xda\x00")


def tiff_layout(data: bytes) -> TiffLayout:
    """The layout of the first image of a TIFF.

    Raises:
        Exception: the directory is damaged; of many kinds.
    """
    directory = ImageFileDirectory_v2(data[: 16 if data[2] == BIG_TIFF else 8])
    stream = io.BytesIO(data)
    stream.seek(directory.next)
    directory.load(stream)
    offsets = directory.get(STRIPOFFSETS) or directory.get(TILEOFFSETS) or ()
    return TiffLayout(len(offsets), int(directory.get(TILEWIDTH, 0)) * int(directory.get(TILELENGTH, 0)))


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk (developers.google.com/speed/webp/docs/riff_container).

    Raises:
        ValueError, struct.error: the chunk is damaged.
    """
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError(f"a WebP file does not begin with a chunk {kind!r}")

"""What an image header declares, read without Pillow where Pillow would already spend memory or time on it."""

import re
import struct
from typing import NamedTuple

# Brands of a file that is a sequence of boxes (ISO/IEC 23008-12). Of the general ones, mif1 and msf1, the compatible brands tell which.
_HEVC = rb"he[iv][cxms]"
_AV1 = rb"avi[fs]"
_BRANDED = rb"(?s).{4}ftyp(?:%b|m(?:if|sf)1.{4}(?:.{4}){0,15}?%b)"

# The first bytes of each supported format, by Pillow's names. A file that starts so and cannot be opened is damaged.
SIGNATURES: dict[str, re.Pattern[bytes]] = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "MPO": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "HEIF": re.compile(_BRANDED % (_HEVC, _HEVC)),
    "AVIF": re.compile(_BRANDED % (_AV1, _AV1)),
}

_BIG_TIFF = 43
_ORIENTATION = 0x0112
_STRIP_OFFSETS, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS = 273, 322, 323, 324
_MOST_ENTRIES = 4096  # of a directory; cameras write some fifty, and microscopes some hundred


class TiffLayout(NamedTuple):
    """The number of strips or tiles of a TIFF, and the pixels of one tile (0 with strips, which are never larger than the image)."""

    parts: int
    tile_pixels: int


class _Entry(NamedTuple):
    values: int  # how many
    first: int  # the first one as a number, where it fits into the entry; otherwise where the values are


def tiff_layout(data: bytes) -> TiffLayout:
    """The layout of the first image of a TIFF.

    Raises:
        ValueError, struct.error: the directory is damaged, or has more entries than any photo.
    """
    directory = _directory(data)
    offsets = directory.get(_STRIP_OFFSETS) or directory.get(_TILE_OFFSETS) or _Entry(0, 0)
    none = _Entry(1, 0)
    return TiffLayout(offsets.values, directory.get(_TILE_WIDTH, none).first * directory.get(_TILE_LENGTH, none).first)


def exif_orientation(exif: bytes) -> int:
    """The orientation (1 to 8) that EXIF metadata asks for; 1 if it has none, or is damaged: that costs no photo its answer."""
    try:
        found = _directory(exif.removeprefix(b"Exif\0\0")).get(_ORIENTATION, _Entry(1, 1)).first
    except (ValueError, OverflowError, struct.error):
        return 1
    return found if 1 <= found <= 8 else 1


def _directory(data: bytes) -> dict[int, _Entry]:
    """The first directory of a TIFF or of EXIF metadata; of entries with the same tag, the first."""
    if not SIGNATURES["TIFF"].match(data):
        raise ValueError("no TIFF")
    order = "<" if data.startswith(b"I") else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == _BIG_TIFF:
        (start,) = struct.unpack_from(order + "Q", data, 8)
        entry, count, word = struct.Struct(order + "HHQ8s"), struct.Struct(order + "Q"), order + "Q"
    else:
        (start,) = struct.unpack_from(order + "I", data, 4)
        entry, count, word = struct.Struct(order + "HHI4s"), struct.Struct(order + "H"), order + "I"
    (entries,) = count.unpack_from(data, start)
    if entries > _MOST_ENTRIES:
        raise ValueError(f"a directory of {entries} entries")
    found: dict[int, _Entry] = {}
    for index in range(entries):
        tag, kind, values, content = entry.unpack_from(data, start + count.size + index * entry.size)
        inline = {1: order + "B", 3: order + "H"}.get(kind, word if kind != 4 else order + "I")
        found.setdefault(tag, _Entry(values, struct.unpack_from(inline, content)[0]))
    return found


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

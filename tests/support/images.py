"""Image files for tests: small valid ones of every accepted format, and malicious ones that are cheap to generate."""

import io
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from serve_app.settings import Settings

pillow_heif.register_heif_opener()  # and saver

FORMATS: Sequence[str] = Settings.model_fields["image_formats"].default


def picture(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth image with one colour per corner, so that every rotation and reflection looks different."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return Image.fromarray((np.stack([255 * x, 255 * y, 255 * (1 - x) * (1 - y)], axis=-1)).astype(np.uint8))


def encode(image: Image.Image | NDArray[Any], image_format: str, **options: Any) -> bytes:
    """The file's bytes, encoded by Pillow."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, image_format, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> Image.Exif:
    """EXIF metadata with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def declare_size(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its header: PNG, GIF, BMP, JPEG, HEIC or AVIF."""
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    if data.startswith(b"GIF8"):
        return data[:6] + struct.pack("<HH", width, height) + data[10:]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<ii", width, height) + data[26:]
    if data[4:8] == b"ftyp":
        at = data.index(b"ispe") + 8
        return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]
    frame = re.search(rb"\xff[\xc0-\xc2]\x00.\x08", data, re.DOTALL)
    assert frame is not None
    return data[: frame.end()] + struct.pack(">HH", height, width) + data[frame.end() + 4 :]


def webp_canvas(width: int, height: int) -> bytes:
    """The header of an extended WebP, of up to 2^24 pixels each way, without any pixels."""
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def tiff(tags: Sequence[tuple[int, int]], payload: bytes = b"") -> bytes:
    """A grey 8-bit TIFF with these (tag, value) pairs; `payload` begins at byte 8."""
    grey = {258: 8, 259: 1, 262: 1, 277: 1}
    entries = sorted((grey | dict(tags)).items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(payload)) + payload + struct.pack("<H", len(entries)) + directory + bytes(4)


def tiff_with_strips(count: int) -> bytes:
    """A legal grey TIFF, 1 pixel wide, with one strip per row, all at the same offset."""
    table = struct.pack("<I", 8) * count
    entries = [(256, 1, 1), (257, 1, count), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, count, 8), (277, 1, 1), (278, 1, 1)]
    directory = b"".join(struct.pack("<HHII", tag, 4, number, value) for tag, number, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(table)) + table + struct.pack("<H", len(entries)) + directory + bytes(4)


def jpeg_with_scans(count: int) -> bytes:
    """A legal progressive JPEG whose many scans make it slow to decode."""
    data = encode(picture().convert("L"), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    end = len(data) - len(b"\xff\xd9")
    return data[:last] + data[last:end] * (count - data.count(b"\xff\xda") + 1) + data[end:]


def run_length_bmp(width: int, height: int) -> bytes:
    """A legal 8-bit BMP, run-length encoded: each row is one pixel and an end of line."""
    palette, rows = bytes(1024), b"\x01\x00\x00\x00" * height
    start = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + palette + rows

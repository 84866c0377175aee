"""A walk through the parts of a file (segments, chunks, sub-blocks, boxes) that keeps what the pixels need, in a bounded number of steps.

Pillow reads each part in Python, so a file of millions of them would hold up every thread of the process. It also refuses photos
whose text, colour profile or checksums are damaged or large, though every browser shows them. So it sees only what is kept here.
"""

import math
import re
import struct
import zlib
from dataclasses import dataclass

from serve_app.vision.image_headers import exif_orientation

MOST_PARTS = 10_000
"""Steps of a walk. Real photos stay far below: a JPEG has some 20 segments, and with the largest profiles and depth maps 600; a PNG of
10 MiB written in libpng's blocks of 8 KiB has 1,300 chunks; an HEIC of 50 megapixels in tiles has 700 boxes."""

MOST_METADATA_BYTES = 1 << 16  # of EXIF: what fits into a segment of a JPEG, where it comes from


class TooManyPartsError(ValueError):
    """The file has more parts than any photo."""


class Steps:
    """Counts the steps of a walk, and ends it at a limit."""

    def __init__(self, limit: int = MOST_PARTS) -> None:
        self.taken = 0
        self._limit = limit

    def take(self) -> None:
        """Counts one step.

        Raises:
            TooManyPartsError: it is one too many.
        """
        self.taken += 1
        if self.taken > self._limit:
            raise TooManyPartsError(f"more than {self._limit} parts")


@dataclass(frozen=True)
class Essence:
    """What a photo's pixels need of its file.

    Attributes:
        data: a file of the same format.
        orientation: by EXIF, where `data` no longer has it.
        pixels: of the largest picture in a HEIF or an AVIF, of which the photo may be a small part.
        is_mpo: a JPEG that is followed by further pictures (CIPA DC-007).
        scans: of a JPEG, as far as they go.
        ends: whether a JPEG has its end marker.
        refined: whether the last scan of a JPEG has all bits: then an end that is missing costs rows, not the quality of all of them.
    """

    data: bytes
    orientation: int = 1
    pixels: int = 0
    is_mpo: bool = False
    scans: int = 0
    ends: bool = True
    refined: bool = True


def essence(data: bytes, kind: str, steps: Steps) -> Essence:
    """What the pixels need of a file of a format (by Pillow's name).

    Raises:
        TooManyPartsError: the file has too many parts.
        ValueError, IndexError, struct.error: it is damaged.
    """
    walks = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WEBP": _webp, "HEIF": _boxed, "AVIF": _boxed}
    return walks[kind](data, steps) if kind in walks else Essence(data)


# --- JPEG (ITU-T T.81, annex B) -------------------------------------------------------------------------------------------------

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb"\xff([^\xff\x00])")  # the last of any fill bytes counts
_MARKER_AMONG_PIXELS = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # neither a stuffed zero nor a restart
_COLOUR_SPACE = ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"))  # what application segments say about the pixels
_EXIF = (0xE1, b"Exif\0\0")
_GAIN_MAP = b' hdrgm:Version="'  # the further picture is brightness for this one (Ultra HDR)


def _jpeg(data: bytes, steps: Steps) -> Essence:
    kept: list[bytes] = []
    exif, pictures, gain_map = b"", False, False
    seen: set[tuple[int, bytes]] = set()
    at = 2
    while True:
        steps.take()
        found = _MARKER.search(data, at)
        if not found:
            raise ValueError("no pixels")
        marker, at = found[1][0], found.end()
        if marker == _SOS:
            break
        if marker in (_SOI, 0x01) or 0xD0 <= marker <= 0xD7:  # they have no content
            continue
        (length,) = struct.unpack_from(">H", data, at)
        body = data[at + 2 : at + length]
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            known = next((known for known in (*_COLOUR_SPACE, _EXIF) if known[0] == marker and body.startswith(known[1])), None)
            if known == _EXIF:
                exif = exif or body
            elif known and known not in seen:
                seen.add(known)
                kept.append(data[at - 2 : at + length])
            pictures |= marker == 0xE2 and body.startswith(b"MPF\0")
            gain_map |= marker == 0xE1 and _GAIN_MAP in body
        else:
            kept.append(data[at - 2 : at + length])
        at += length
    pixels = at - 2
    scans, ends, refined, end = _scans(data, pixels, steps)
    tail = data[pixels:end] if ends else data[pixels:end].rstrip(b"\0")  # an interrupted download may be filled with zeros
    file = b"".join((b"\xff\xd8", *kept, tail))
    is_mpo = pictures and not gain_map
    return Essence(file, exif_orientation(exif), is_mpo=is_mpo, scans=scans, ends=ends, refined=refined)


def _scans(data: bytes, at: int, steps: Steps) -> tuple[int, bool, bool, int]:
    """From the first start of a scan: the number of scans, whether the end comes, whether the last scan has all bits, where it ends."""
    scans, refined = 0, True
    while found := _MARKER_AMONG_PIXELS.search(data, at):
        steps.take()
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            return scans, True, refined, at
        if marker in (_SOI, 0x01):
            continue
        if at + 2 > len(data):
            break
        length = int.from_bytes(data[at : at + 2])
        if marker == _SOS:
            scans += 1
            refined = not data[at + length - 1 : at + length] or data[at + length - 1] & 15 == 0
        at += length
    return scans, False, refined, len(data)


# --- PNG (w3.org/TR/png-3) ------------------------------------------------------------------------------------------------------

_PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def _png(data: bytes, steps: Steps) -> Essence:
    kept = [data[:8]]
    exif = b""
    at = 8
    while at + 8 <= len(data):
        steps.take()
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        if name in _PNG_PIXELS or (name == b"tRNS" and length <= 256 * 3 and _checks(data, at, end)):
            kept.append(data[at:end])
        elif name == b"eXIf" and length <= MOST_METADATA_BYTES:
            exif = data[at + 8 : end - 4]
        at = end
        if name == b"IEND":
            break
    return Essence(b"".join(kept), exif_orientation(exif))


def _checks(data: bytes, at: int, end: int) -> bool:
    return zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end])


# --- GIF (w3.org/Graphics/GIF/spec-gif89a.txt) ----------------------------------------------------------------------------------

_EXTENSION, _FRAME, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9


def _gif(data: bytes, steps: Steps) -> Essence:
    """Without what comes before the first frame, except for its transparency."""
    screen = 13
    if data[10] & 0x80:  # a palette
        screen += 3 << (data[10] & 7) + 1
    control = b""
    at = screen
    while True:
        steps.take()
        kind = data[at]
        if kind in (_FRAME, _TRAILER):
            return Essence(data[:screen] + control + data[at:])
        at += 1
        if kind != _EXTENSION:
            continue
        start = at - 1
        label, at = data[at], at + 1
        while length := data[at]:
            steps.take()
            at += 1 + length
        at += 1
        if label == _CONTROL:
            control = data[start:at]


# --- WebP (developers.google.com/speed/webp/docs/riff_container) ----------------------------------------------------------------

_WEBP_PIXELS = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")


def _webp(data: bytes, steps: Steps) -> Essence:
    kept = []
    exif = b""
    at = 12
    while at + 8 <= len(data):
        steps.take()
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if name in _WEBP_PIXELS:
            kept.append(data[at:end])
        elif name == b"EXIF" and length <= MOST_METADATA_BYTES:
            exif = data[at + 8 : at + 8 + length]
        at = end
    body = b"WEBP" + b"".join(kept)
    return Essence(b"RIFF" + struct.pack("<I", len(body)) + body, exif_orientation(exif))


# --- HEIF and AVIF (ISO/IEC 14496-12, 23008-12) ---------------------------------------------------------------------------------

# Boxes that contain boxes, with the bytes before the first of them.
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"iref": 4, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
_METADATA_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))(?:Exif|mime)", re.DOTALL)


def _boxed(data: bytes, steps: Steps) -> Essence:
    """The same file, whose metadata have lost their names: orientation is a property of the picture, and EXIF only repeats it."""
    pixels = _most_pixels(data, steps)
    start = data.find(b"iinf")
    if start < 0:
        return Essence(data, pixels=pixels)
    end = start - 4 + int.from_bytes(data[start - 4 : start])
    return Essence(data[:start] + _METADATA_ITEM.sub(rb"\1free", data[start:end]) + data[end:], pixels=pixels)


def _most_pixels(data: bytes, steps: Steps) -> int:
    """Visits all boxes; the pixels of the largest picture that they declare."""
    most = 0
    todo = [(0, len(data))]
    while todo:
        at, stop = todo.pop()
        while at + 8 <= stop:
            steps.take()
            size, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
            header = 8
            if size == 1:  # the size follows, in 8 bytes
                size, header = int.from_bytes(data[at + 8 : at + 16]), 16
            end = at + size if size else stop  # 0: to the end
            if size and size < header:
                raise ValueError("a box smaller than its header")
            if name == b"ispe":
                most = max(most, math.prod(struct.unpack_from(">II", data, at + header + 4)))
            if name in _CONTAINERS:
                todo.append((at + header + _CONTAINERS[name], min(end, stop)))
            at = end
    return most

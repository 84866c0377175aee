"""A walk through a file keeps what its pixels need, and ends after a number of steps. The steps are counted, not timed."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from serve_app.codes import Code
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.image_parts import MOST_PARTS, Essence, Steps, TooManyPartsError, essence
from tests.support.images import FORMATS, encode, jpeg_with_scans, oriented, picture

LIMITS = DecodeLimits(FORMATS, max_pixels=50_000_000)
MEGABYTES = 10_000_000


def walk(data: bytes, kind: str) -> tuple[Essence, int]:
    """What is kept, and the steps that it took."""
    steps = Steps()
    return essence(data, kind, steps), steps.taken


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def box(name: bytes, content: bytes = b"") -> bytes:
    """A box of a HEIF or an AVIF."""
    return struct.pack(">I", 8 + len(content)) + name + content


def segments(marker: int, *contents: bytes) -> bytes:
    """Segments of a JPEG."""
    return b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for content in contents)


JPEG, PNG, GIF = (encode(picture(), name) for name in ("JPEG", "PNG", "GIF"))
WEBP = encode(picture(), "WEBP", exif=oriented(1).tobytes())
AFTER_IHDR, AFTER_PALETTE = 33, 13 + (6 << (GIF[10] & 7))

# Files of 10 MB that consist of as many parts as fit: each is read in Python by Pillow.
SWARMS = {
    "JPEG segments": ("JPEG", JPEG[:2] + segments(0xEF, b"") * (MEGABYTES // 4) + JPEG[2:]),
    "JPEG tables": ("JPEG", JPEG[:2] + segments(0xDB, b"") * (MEGABYTES // 4) + JPEG[2:]),
    "JPEG markers without content": ("JPEG", JPEG[:2] + b"\xff\x01" * (MEGABYTES // 2) + JPEG[2:]),
    "JPEG segments among the pixels": ("JPEG", JPEG[:-2] + segments(0xEF, b"") * (MEGABYTES // 4) + JPEG[-2:]),
    "PNG chunks": ("PNG", PNG[:AFTER_IHDR] + chunk(b"teXt", b"") * (MEGABYTES // 12) + PNG[AFTER_IHDR:]),
    "PNG chunks of pixels": ("PNG", PNG[:AFTER_IHDR] + chunk(b"IDAT", b"") * (MEGABYTES // 12) + PNG[AFTER_IHDR:]),
    "GIF sub-blocks": ("GIF", GIF[:AFTER_PALETTE] + b"!\xfe" + b"\1x" * (MEGABYTES // 2) + b"\0" + GIF[AFTER_PALETTE:]),
    "GIF extensions": ("GIF", GIF[:AFTER_PALETTE] + b"!\xfe\0" * (MEGABYTES // 3) + GIF[AFTER_PALETTE:]),
    "GIF unknown bytes": ("GIF", GIF[:AFTER_PALETTE] + b"x" * MEGABYTES + GIF[AFTER_PALETTE:]),
    "WebP chunks": ("WEBP", WEBP + b"JUNK\0\0\0\0" * (MEGABYTES // 8)),
    "HEIC boxes": ("HEIF", encode(picture(), "HEIF") + box(b"free") * (MEGABYTES // 8)),
    "AVIF boxes": ("AVIF", encode(picture(), "AVIF") + box(b"free") * (MEGABYTES // 8)),
    "AVIF boxes in a box": ("AVIF", encode(picture(), "AVIF") + box(b"moov", box(b"trak") * (MEGABYTES // 8))),
}


@pytest.mark.parametrize("name", SWARMS)
def test_millions_of_parts_are_refused_after_some_steps(name: str) -> None:
    kind, data = SWARMS[name]
    steps = Steps()
    with pytest.raises(TooManyPartsError):
        essence(data, kind, steps)
    assert steps.taken == MOST_PARTS + 1
    with pytest.raises(ImageRefused) as refused:
        decode(data, LIMITS)
    assert refused.value.code is Code.CORRUPT_IMAGE


def test_a_file_of_fill_bytes_is_no_photo() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        walk(JPEG[:2] + b"\xff" * MEGABYTES, "JPEG")


def test_fill_bytes_are_one_step() -> None:
    kept, steps = walk(JPEG[:2] + b"\xff" * MEGABYTES + JPEG[2:], "JPEG")
    assert steps == walk(JPEG, "JPEG")[1]
    assert kept.data == walk(JPEG, "JPEG")[0].data


def test_boxes_that_lie_about_their_size_end_the_walk() -> None:
    avif = encode(picture(), "AVIF")
    with pytest.raises(ValueError, match="smaller than its header"):
        walk(avif + struct.pack(">I", 4) + b"free", "AVIF")
    assert walk(avif + struct.pack(">I", 1 << 31) + b"moov" + bytes(100), "AVIF")[1] < 100
    nested = b""
    for _ in range(5000):
        nested = box(b"moov", nested)
    assert walk(avif + nested, "AVIF")[1] < MOST_PARTS


# What cameras and programs write. The counts are far below the limit.
REAL: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG with a large profile and metadata": (
        "JPEG",
        lambda: JPEG[:2] + segments(0xE2, *[b"ICC_PROFILE\0" + bytes(65_000)] * 60) + segments(0xE1, *[bytes(65_000)] * 80) + JPEG[2:],
    ),
    "PNG of 8 kB per chunk": ("PNG", lambda: PNG[:AFTER_IHDR] + chunk(b"teXt", bytes(8192)) * 1250 + PNG[AFTER_IHDR:]),
    "GIF with a profile": (
        "GIF",
        lambda: GIF[:AFTER_PALETTE] + b"!\xff\x0bICCRGBG1012" + (b"\xff" + bytes(255)) * 2000 + b"\0" + GIF[AFTER_PALETTE:],
    ),
    "animated WebP": (
        "WEBP",
        lambda: encode(picture(), "WEBP", save_all=True, append_images=[picture(48, 32).rotate(9 * i) for i in range(1, 30)]),
    ),
    "HEIC in tiles": ("HEIF", lambda: encode(picture(1280, 1280), "HEIF", tile_size=64)),
}


@pytest.mark.parametrize("name", REAL)
def test_real_photos_are_far_from_the_limit(name: str) -> None:
    kind, make = REAL[name]
    data = make()
    assert walk(data, kind)[1] < MOST_PARTS / 2
    assert decode(data, LIMITS).ndim == 3


# Metadata that Pillow refuses, or that costs it time, and that no browser minds.
ODD_METADATA = {
    "PNG, long text": PNG[:AFTER_IHDR] + chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 2_000_000)) + PNG[AFTER_IHDR:],
    "PNG, long international text": PNG[:AFTER_IHDR] + chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)) + PNG[AFTER_IHDR:],
    "PNG, long profile": PNG[:AFTER_IHDR] + chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2_000_000))) + PNG[AFTER_IHDR:],
    "PNG, damaged profile": PNG[:AFTER_IHDR] + chunk(b"iCCP", b"profile\0\0not packed") + PNG[AFTER_IHDR:],
    "PNG, text with a wrong checksum": PNG[:AFTER_IHDR] + chunk(b"tEXt", b"Comment\0hello")[:-4] + bytes(4) + PNG[AFTER_IHDR:],
    "PNG, transparency with a wrong checksum": PNG[:AFTER_IHDR] + chunk(b"tRNS", bytes(6))[:-4] + bytes(4) + PNG[AFTER_IHDR:],
    "PNG, text behind the pixels": PNG[:-12] + chunk(b"tEXt", b"Comment\0hello")[:-4] + bytes(4) + PNG[-12:],
    "PNG without its end": PNG[:-12],
    "PNG without its last bytes": PNG[:-3],
    "JPEG, damaged list of pictures": JPEG[:2] + segments(0xE2, b"MPF\0II*\0\xff\xff\xff\xff") + JPEG[2:],
    "JPEG, damaged EXIF": JPEG[:2] + segments(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff") + JPEG[2:],
    "JPEG, damaged Photoshop data": JPEG[:2] + segments(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff\xff\xff") + JPEG[2:],
    "JPEG with bytes between its segments": JPEG[:20] + b"between" + JPEG[20:],
    "WebP, cut in its EXIF": WEBP[:-5],
    "GIF, comments": GIF[:AFTER_PALETTE] + b"!\xfe\x05hello\0" * 1000 + GIF[AFTER_PALETTE:],
}


@pytest.mark.parametrize("name", ODD_METADATA)
def test_metadata_never_cost_a_photo_its_answer(name: str) -> None:
    plain = next(
        data for data in (JPEG, PNG, GIF, WEBP) if data[:4] == ODD_METADATA[name][:4] or (name.startswith("JPEG") and data is JPEG)
    )
    assert (decode(ODD_METADATA[name], LIMITS) == decode(plain, LIMITS)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_kept_though_the_metadata_are_not(kind: str) -> None:
    kept, _ = walk(encode(picture(), kind, exif=oriented(6).tobytes()), kind)
    assert kept.orientation == 6
    with Image.open(io.BytesIO(kept.data)) as image:
        assert not image.getexif()


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_metadata_of_boxed_files_lose_their_names(kind: str) -> None:
    data = encode(picture(), kind, exif=oriented(6).tobytes(), xmp=b"<x:xmpmeta/>")
    kept, _ = walk(data, kind)
    assert len(kept.data) == len(data)
    with Image.open(io.BytesIO(kept.data)) as image:
        assert not image.info.get("xmp")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_the_largest_picture_of_a_boxed_file_counts(kind: str) -> None:
    data = encode(picture(256, 128), kind)
    assert walk(data, kind)[0].pixels == 256 * 128
    at = data.index(b"ispe")
    part_of_a_large_one = data[: at + 8] + struct.pack(">II", 20_000, 20_000) + data[at + 16 :]
    assert walk(part_of_a_large_one, kind)[0].pixels == 400_000_000


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"progressive": True}, 10)])
def test_scans_of_a_jpeg(options: dict[str, Any], scans: int) -> None:
    kept, _ = walk(encode(picture(), "JPEG", **options), "JPEG")
    assert (kept.scans, kept.ends) == (scans, True)


def test_scans_of_a_jpeg_that_repeats_them() -> None:
    assert walk(jpeg_with_scans(77), "JPEG")[0].scans == 77


def test_scans_of_a_thumbnail_do_not_count() -> None:
    data = JPEG[:2] + segments(0xE1, encode(picture(), "JPEG", progressive=True)) + JPEG[2:]
    assert walk(data, "JPEG")[0].scans == 1


def test_a_jpeg_whose_brightness_is_in_a_further_picture_is_no_mpo() -> None:
    mpo = encode(picture(), "MPO", save_all=True, append_images=[picture()])
    assert walk(mpo, "JPEG")[0].is_mpo
    ultra_hdr = mpo[:2] + segments(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>') + mpo[2:]
    assert not walk(ultra_hdr, "JPEG")[0].is_mpo

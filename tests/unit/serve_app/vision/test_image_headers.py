"""What files declare in their headers, read without decoding."""

import struct

import pytest

from serve_app.vision.image_headers import SIGNATURES, exif_orientation, tiff_layout, webp_size
from tests.support.images import FORMATS, encode, oriented, picture, tiff, tiff_with_strips, webp_canvas


def test_every_format_of_the_settings_has_a_signature_that_its_files_begin_with() -> None:
    for image_format in FORMATS:
        assert SIGNATURES[image_format].match(encode(picture(), image_format))


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"exif": b"II*\0\x08\0\0\0\0\0"}, {"save_all": True, "append_images": [picture()]}]
)
def test_webp_size_of_every_kind_of_first_chunk(options: dict[str, object]) -> None:
    assert webp_size(encode(picture(48, 32), "WEBP", **options)) == (48, 32)


def test_webp_size_of_a_canvas_without_pixels() -> None:
    assert webp_size(webp_canvas(1 << 24, 10_000)) == (1 << 24, 10_000)


def test_another_first_chunk_is_an_error() -> None:
    with pytest.raises(ValueError, match="JUNK"):
        webp_size(b"RIFF\x20\0\0\0WEBPJUNK" + bytes(40))


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_lzw"}])
def test_layout_of_strips(options: dict[str, object]) -> None:
    layout = tiff_layout(encode(picture(), "TIFF", **options))
    assert (layout.parts, layout.tile_pixels) == (1, 0)
    assert tiff_layout(tiff_with_strips(1234)).parts == 1234


def test_layout_of_tiles() -> None:
    assert tiff_layout(tiff([(322, 256), (323, 128), (324, 8), (325, 9)], bytes(9))) == (1, 256 * 128)


def test_more_entries_than_any_photo_has_are_an_error() -> None:
    assert tiff_layout(tiff([(1000 + index, 0) for index in range(1000)])).parts == 0
    with pytest.raises(ValueError, match="entries"):
        tiff_layout(tiff([(1000 + index, 0) for index in range(5000)]))


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"heix\0\0\0\0mif1heix", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1miafavif", "AVIF"),
        (b"avis\0\0\0\0avifavis", "AVIF"),
        (b"mif1\0\0\0\0mif1", None),
        (b"isom\0\0\0\0isomavc1", None),
    ],
)
def test_boxed_files_are_told_apart_by_their_brands(brands: bytes, kind: str | None) -> None:
    data = struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + b"\0\0\0\x08free"
    assert [name for name, signature in SIGNATURES.items() if signature.match(data)] == ([kind] if kind else [])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif_metadata(orientation: int) -> None:
    exif = oriented(orientation).tobytes()
    assert exif_orientation(exif) == exif_orientation(exif.removeprefix(b"Exif\0\0")) == orientation
    big_endian = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    assert exif_orientation(big_endian) == orientation


@pytest.mark.parametrize("exif", [b"", b"garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", oriented(99).tobytes(), oriented(6).tobytes()[:20]])
def test_damaged_metadata_ask_for_nothing(exif: bytes) -> None:
    assert exif_orientation(exif) == 1

"""What files declare in their headers, read without decoding."""

import pytest

from serve_app.vision.image_headers import SIGNATURES, jpeg_scans, tiff_layout, webp_size
from tests.support.images import FORMATS, encode, jpeg_with_scans, picture, tiff, tiff_with_strips, webp_canvas


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


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"progressive": True}, 10)])
def test_scans_of_a_jpeg(options: dict[str, object], scans: int) -> None:
    assert jpeg_scans(encode(picture(), "JPEG", **options)) == scans


def test_scans_of_a_jpeg_that_repeats_them() -> None:
    assert jpeg_scans(jpeg_with_scans(77)) == 77


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_lzw"}])
def test_layout_of_strips(options: dict[str, object]) -> None:
    layout = tiff_layout(encode(picture(), "TIFF", **options))
    assert (layout.parts, layout.tile_pixels) == (1, 0)
    assert tiff_layout(tiff_with_strips(1234)).parts == 1234


def test_layout_of_tiles() -> None:
    assert tiff_layout(tiff([(322, 256), (323, 128), (324, 8), (325, 9)], bytes(9))) == (1, 256 * 128)

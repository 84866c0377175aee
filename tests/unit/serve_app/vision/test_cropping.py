"""From a box to the classifier's input."""

import numpy as np
import pytest
from PIL import Image

from serve_app.vision.cropping import CropSpec, crop_person, crop_window, view_windows
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedHead, DetectedPerson
from tests.support.images import picture

WHOLE = (0.0, 0.0, 1.0, 1.0)
PLAIN = CropSpec(margin=0.0, aspect=10.0, size=32)
TWO_VIEWS = CropSpec(margin=0.0, aspect=2.0, size=32, views=("head", "person"), head_margin=0.1)
PHOTO = np.asarray(picture(120, 80))


def crop_box(photo: RGB, box: Box, spec: CropSpec) -> RGB:
    return crop_person(photo, DetectedPerson(box, 0.9), spec)


def somebody(box: Box = WHOLE, head: Box | None = None, *, heads_known: bool = True) -> DetectedPerson:
    return DetectedPerson(box, 0.9, head and DetectedHead(head, 0.9), heads_known)


def test_the_window_is_the_box_in_pixels() -> None:
    assert crop_window((0.25, 0.5, 0.5, 1.0), 200, 100, PLAIN) == (50, 50, 100, 100)


def test_the_margin_is_a_share_of_the_shorter_side_on_each_side() -> None:
    spec = CropSpec(margin=0.5, aspect=10.0, size=32)
    assert crop_window((0.4, 0.2, 0.5, 0.6), 100, 100, spec) == pytest.approx((35, 15, 55, 65))


def test_a_tall_window_is_cut_from_below() -> None:
    spec = CropSpec(margin=0.0, aspect=1.5, size=32)
    assert crop_window((0.0, 0.1, 0.2, 1.0), 100, 100, spec) == pytest.approx((0, 10, 20, 40))


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    "box",
    [WHOLE, (0.0, 0.0, 0.1, 0.1), (0.9, 0.9, 1.0, 1.0), (0.0, 0.4, 1.0, 0.5), (0.999, 0.0, 1.0, 1.0), (0.0, 0.999, 1.0, 1.0)],
)
def test_the_window_stays_inside_the_photo(box: Box, margin: float) -> None:
    x0, y0, x1, y1 = crop_window(box, 120, 80, CropSpec(margin, 1.5, 32))
    assert 0 <= x0 < x1 <= 120
    assert 0 <= y0 < y1 <= 80


@pytest.mark.parametrize("shape", [(80, 120, 3), (1, 1, 3), (1, 1024, 3), (1024, 1, 3)])
@pytest.mark.parametrize(
    "box", [WHOLE, (0.5, 0.0, 0.5, 1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), (0.99999, 0.2, 1.0, 0.20001), (0.3, 0.3, 0.7, 0.7)]
)
def test_every_box_gives_a_crop_of_the_wanted_size(box: Box, shape: tuple[int, int, int]) -> None:
    crop = crop_box(np.full(shape, 77, dtype=np.uint8), box, CropSpec(margin=0.1, aspect=1.5, size=48))
    assert crop.shape == (48, 48, 3)
    assert crop.dtype == np.uint8
    assert (crop == 77).all()


def test_the_crop_shows_what_is_in_the_box() -> None:
    photo = np.zeros((80, 120, 3), dtype=np.uint8)
    photo[20:40, 60:90] = 200
    crop = crop_box(photo, (0.5, 0.25, 0.75, 0.5), PLAIN)
    assert (crop[2:-2, 2:-2] == 200).all()  # Pillow's filters reach a pixel beyond the box


def test_the_filter_is_the_one_that_was_asked_for() -> None:
    spec = CropSpec(margin=0.0, aspect=10.0, size=30, resample=Image.Resampling.NEAREST)
    assert np.array_equal(crop_box(PHOTO, WHOLE, spec), np.asarray(Image.fromarray(PHOTO).resize((30, 30), Image.Resampling.NEAREST)))


def test_the_same_photo_gives_the_same_crop_and_stays_as_it_was() -> None:
    before = PHOTO.copy()
    first, second = (crop_box(PHOTO, (0.1, 0.2, 0.8, 0.9), CropSpec(0.1, 1.5, 48)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(PHOTO, before)


def test_two_views_are_the_head_above_the_person() -> None:
    photo = np.zeros((200, 100, 3), dtype=np.uint8)
    photo[:, :, 2] = 50
    photo[20:40, 40:60, 0] = 250  # the head
    crop = crop_person(photo, somebody((0.2, 0.1, 0.8, 1.0), (0.4, 0.1, 0.6, 0.2)), TWO_VIEWS)
    assert crop.shape == TWO_VIEWS.shape == (64, 32, 3)
    head, person = crop[:32], crop[32:]
    assert (head[6:26, 6:26, 0] == 250).all()
    assert 0.02 < (person[..., 0] > 125).mean() < 0.1


def test_a_view_keeps_the_shape_of_what_it_shows() -> None:
    person = somebody((0.0, 0.0, 0.5, 1.0), (0.1, 0.1, 0.3, 0.2))
    for window in view_windows(person, 300, 400, TWO_VIEWS):
        assert window is not None
        x0, y0, x1, y1 = window
        assert x1 - x0 == pytest.approx(y1 - y0)


def test_a_tall_person_is_cut_from_below_and_keeps_the_surroundings_at_the_sides() -> None:
    [_, window] = view_windows(somebody((0.4, 0.1, 0.6, 1.0)), 100, 100, TWO_VIEWS)
    assert window == pytest.approx((30, 10, 70, 50))


def test_beyond_the_photo_is_black() -> None:
    photo = np.full((50, 50, 3), 200, dtype=np.uint8)
    head = crop_person(photo, somebody(head=WHOLE), TWO_VIEWS)[:32]
    assert (head[[0, 1, -1, -2]] == 0).all()
    assert (head[4:-4, 4:-4] == 200).all()


def test_a_head_that_is_not_seen_is_black() -> None:
    crop = crop_person(np.full((50, 50, 3), 200, dtype=np.uint8), somebody(head=None), TWO_VIEWS)
    assert (crop[:32] == 0).all()
    assert (crop[32:] == 200).all()


def test_where_heads_are_unknown_the_head_is_in_the_upper_square() -> None:
    [window, _] = view_windows(somebody((0.25, 0.1, 0.5, 0.9), heads_known=False), 400, 300, TWO_VIEWS)
    assert window == pytest.approx((100 - 10, 30 - 10, 200 + 10, 130 + 10))


@pytest.mark.parametrize("shape", [(80, 120, 3), (1, 1, 3), (1, 1024, 3), (1024, 1, 3)])
@pytest.mark.parametrize("box", [WHOLE, (0.5, 0.0, 0.5, 1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), (0.3, 0.3, 0.7, 0.7)])
@pytest.mark.parametrize("heads_known", [True, False])
def test_every_person_gives_views_of_the_wanted_size(box: Box, shape: tuple[int, int, int], heads_known: bool) -> None:
    crop = crop_person(np.full(shape, 77, dtype=np.uint8), somebody(box, box, heads_known=heads_known), TWO_VIEWS)
    assert crop.shape == (64, 32, 3)
    assert crop.dtype == np.uint8

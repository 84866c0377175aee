"""What an answer hangs on is found where it is."""

import numpy as np
import pytest

from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.explaining import MOST_PATCHES, crops_with_hidden_parts, explanation, grid_over
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedHead, DetectedPerson

WIDTH, HEIGHT = 200, 300
PERSON = DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.9, DetectedHead((0.3, 0.1, 0.7, 0.4), 0.9))
ONE_VIEW = CropSpec(margin=0.1, aspect=2.0, size=96)
TWO_VIEWS = CropSpec(margin=0.1, aspect=2.0, size=96, views=("head", "person"), head_margin=0.2)
HALF = 8  # of the painted patch's side, pixels


def by_red(crop: RGB) -> dict[str, float]:
    """A classifier that decides by how much of the crop is red."""
    red = float((crop[..., 0].astype(int) - crop[..., 1] > 100).mean())
    female = 0.1 + 0.8 * min(red * 20, 1)
    return {"female": female, "male": 1 - female}


@pytest.mark.parametrize("spec", [ONE_VIEW, TWO_VIEWS], ids=["one view", "two views"])
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.2), (0.2, 0.6), (0.85, 0.5)])
def test_the_map_finds_a_painted_patch_that_decides(spec: CropSpec, x: float, y: float) -> None:
    photo = np.full((HEIGHT, WIDTH, 3), 120, dtype=np.uint8)
    column, row = round(x * WIDTH), round(y * HEIGHT)
    photo[row - HALF : row + HALF, column - HALF : column + HALF] = (250, 20, 20)
    before = photo.copy()
    grid = grid_over(PERSON, WIDTH, HEIGHT)
    hidden = [by_red(crop) for crop in crops_with_hidden_parts(photo, PERSON, spec, grid)]
    changes = np.array(explanation(by_red(crop_person(photo, PERSON, spec)), hidden, grid).changes)
    assert changes.shape == grid
    x0, y0, x1, y1 = PERSON.box
    high, wide = (y1 - y0) * HEIGHT / grid[0], (x1 - x0) * WIDTH / grid[1]
    for (down, across), change in np.ndenumerate(changes):
        top, left = y0 * HEIGHT + down * high, x0 * WIDTH + across * wide
        overlaps = left < column + HALF and left + wide > column - HALF and top < row + HALF and top + high > row - HALF
        assert overlaps or abs(change) < 0.02, (down, across)
    assert abs(changes).max() > 0.1
    assert (photo == before).all()


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.4, 0.0, 0.45, 1.0), (0.0, 0.5, 1.0, 0.55), (0.5, 0.5, 0.5001, 0.5001)])
def test_every_person_has_a_grid_of_bounded_size(box: Box) -> None:
    photo, person = np.zeros((HEIGHT, WIDTH, 3), np.uint8), DetectedPerson(box, 0.9)
    rows, columns = grid_over(person, WIDTH, HEIGHT)
    assert 1 <= rows * columns <= MOST_PATCHES
    assert len(list(crops_with_hidden_parts(photo, person, ONE_VIEW, (rows, columns)))) == rows * columns


def test_certainty_has_finite_log_odds() -> None:
    told = explanation({"female": 1.0, "male": 0.0}, [{"female": 0.0, "male": 1.0}], (1, 1))
    assert told.label == "female"
    assert 0 < told.base < told.changes[0][0] < 100

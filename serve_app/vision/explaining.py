"""What an answer hangs on, by occlusion (Zeiler and Fergus 2014): how far it changes when a part of the person is hidden."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson

MOST_PATCHES = 49
LEAST_PROBABILITY = 1e-6  # of a label, so that log-odds stay finite

Grid = tuple[int, int]  # rows and columns


@dataclass(frozen=True)
class Explanation:
    """A heat map over the person's box.

    Attributes:
        label: the more probable one.
        base: its log-odds, of the whole person.
        changes: by row and column, by how much its log-odds fall when this part of the box is hidden: positive, where the part speaks
            for the label.
    """

    label: str
    base: float
    changes: list[list[float]]


def grid_over(person: DetectedPerson, width: int, height: int) -> Grid:
    """Rows and columns of about square patches over the box of a person in a photo of this size; `MOST_PATCHES` at most."""
    x0, y0, x1, y1 = person.box
    tall = (y1 - y0) * height / max((x1 - x0) * width, 1e-6)
    columns = min(max(round(math.sqrt(MOST_PATCHES / tall)), 1), MOST_PATCHES)
    return max(MOST_PATCHES // columns, 1), columns


def crops_with_hidden_parts(photo: RGB, person: DetectedPerson, spec: CropSpec, grid: Grid) -> Iterator[RGB]:
    """The crop of a person with each patch of the grid hidden in turn, row by row: it has the mean colour of the person's box."""
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = person.box[0] * width, person.box[1] * height, person.box[2] * width, person.box[3] * height
    rows, columns = grid
    across = [round(x0 + (x1 - x0) * column / columns) for column in range(columns + 1)]
    down = [round(y0 + (y1 - y0) * row / rows) for row in range(rows + 1)]
    top, left = min(down[0], height - 1), min(across[0], width - 1)  # at least one pixel, however thin the box
    colour = photo[top : max(down[-1], top + 1), left : max(across[-1], left + 1)].mean(axis=(0, 1))
    hidden = photo.copy()
    for top, bottom in pairwise(down):
        for left, right in pairwise(across):
            hidden[top:bottom, left:right] = colour
            yield crop_person(hidden, person, spec)
            hidden[top:bottom, left:right] = photo[top:bottom, left:right]


def explanation(whole: Mapping[str, float], hidden: Sequence[Mapping[str, float]], grid: Grid) -> Explanation:
    """The heat map, from the probabilities of the whole person and of each crop with a hidden part."""
    label = max(whole, key=whole.__getitem__)
    base = _log_odds(whole[label])
    changes = [base - _log_odds(each[label]) for each in hidden]
    rows, columns = grid
    return Explanation(label, base, [changes[row * columns : (row + 1) * columns] for row in range(rows)])


def _log_odds(probability: float) -> float:
    inside = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return math.log(inside / (1 - inside))

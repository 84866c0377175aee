"""From a photo and its person to the classifier's input: one view of the person, or two (as in MiVOLO, Kuprashevich and Tolstykh 2023).

The two views are one image, the head above the whole person, so that any ViT takes them and each layer sees both.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from serve_app.checkpoints.decision import View
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedPerson

Window = tuple[float, float, float, float]  # [x0, y0, x1, y1] in pixels; it may reach beyond the photo


@dataclass(frozen=True)
class CropSpec:
    """How to crop for the classifier: see `decision.ClassifierDecision`.

    Attributes:
        size: side of each view, pixels.
        resample: one of Pillow's filters.
    """

    margin: float
    aspect: float
    size: int
    resample: int = Image.Resampling.BILINEAR
    views: tuple[View, ...] = ("person",)
    head_margin: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a crop: (height, width, 3)."""
        return self.size * len(self.views), self.size, 3


def crop_person(photo: RGB, person: DetectedPerson, spec: CropSpec) -> RGB:
    """Crops the person from (H, W, 3) to `spec.shape`, uint8. A head that is not seen is black."""
    if spec.views == ("person",):
        return resized(photo, crop_window(person.box, photo.shape[1], photo.shape[0], spec), spec.size, spec.resample)
    windows = view_windows(person, photo.shape[1], photo.shape[0], spec)
    return np.concatenate([resized(photo, window, spec.size, spec.resample) for window in windows])


def view_windows(person: DetectedPerson, width: int, height: int, spec: CropSpec) -> list[Window | None]:
    """The square window of each view; None for a head that is not seen."""
    head = head_of(person, width, height)
    squares = {
        "head": head and _square_around((head[0] * width, head[1] * height, head[2] * width, head[3] * height), 1 + 2 * spec.head_margin),
        "person": person_square(person.box, width, height, spec),
    }
    return [squares[view] for view in spec.views]


def head_of(person: DetectedPerson, width: int, height: int) -> Box | None:
    """The person's head. Where the detector does not know heads it is taken to be in the upper square of the box."""
    if person.head:
        return person.head.box
    if person.heads_known:
        return None
    x0, y0, x1, y1 = person.box
    return x0, y0, x1, min(y1, y0 + (x1 - x0) * width / height)


def person_square(box: Box, width: int, height: int, spec: CropSpec) -> Window:
    """The person with surroundings to make it a square; cut from below to the aspect, so that the upper body is large enough to see."""
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    y1 = min(y1, y0 + spec.aspect * (x1 - x0))
    return _square_around((x0, y0, x1, y1), 1 + 2 * spec.margin)


def _square_around(window: Window, factor: float) -> Window:
    x, y = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
    half = max(1.0, window[2] - window[0], window[3] - window[1]) * factor / 2
    return x - half, y - half, x + half, y + half


def crop_window(box: Box, width: int, height: int, spec: CropSpec) -> Window:
    """The window of a classifier of one view: the box with its margin, clipped to the photo, and cut from below to the aspect."""
    x0, x1 = box[0] * width, box[2] * width
    y0, y1 = box[1] * height, box[3] * height
    margin = spec.margin * min(x1 - x0, y1 - y0)
    x0, x1 = max(0.0, x0 - margin), min(float(width), x1 + margin)
    y0, y1 = max(0.0, y0 - margin), min(float(height), y1 + margin)
    # At least one whole pixel of the photo, however thin the box.
    x0, y0 = min(x0, width - 1.0), min(y0, height - 1.0)
    x1, y1 = max(x1, x0 + 1.0), max(y1, y0 + 1.0)
    return x0, y0, x1, min(y1, max(y0 + spec.aspect * (x1 - x0), y0 + 1.0))


def brightness_of(crop: RGB) -> float:
    """Mean of a crop's pixels, 0 to 1, of every fourth row and column."""
    return float(crop[::4, ::4].mean()) / 255


def resized(photo: RGB, window: Window | None, size: int, resample: int) -> RGB:
    """The window of (H, W, 3) at (size, size, 3); black beyond the photo, and all black without a window."""
    crop = np.zeros((size, size, 3), dtype=np.uint8)
    if window is None:
        return crop
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = window
    scale_x, scale_y = size / max(x1 - x0, 1e-6), size / max(y1 - y0, 1e-6)
    # At least one whole pixel, however thin the window: resize() needs an area inside the photo.
    inside_x0, inside_y0 = min(max(x0, 0.0), width - 1.0), min(max(y0, 0.0), height - 1.0)
    inside_x1, inside_y1 = max(min(x1, float(width)), inside_x0 + 1.0), max(min(y1, float(height)), inside_y0 + 1.0)
    left, top = (min(max(round(edge), 0), size - 1) for edge in ((inside_x0 - x0) * scale_x, (inside_y0 - y0) * scale_y))
    right = max(min(round((inside_x1 - x0) * scale_x), size), left + 1)
    bottom = max(min(round((inside_y1 - y0) * scale_y), size), top + 1)
    part = Image.fromarray(photo).resize(
        (right - left, bottom - top), Image.Resampling(resample), box=(inside_x0, inside_y0, inside_x1, inside_y1), reducing_gap=3.0
    )
    crop[top:bottom, left:right] = np.asarray(part)
    return crop

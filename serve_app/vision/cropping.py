"""From a photo and the box of its person to the classifier's input."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from serve_app.vision.images import RGB, Box


@dataclass(frozen=True)
class CropSpec:
    """How to crop for the classifier: see `decision.ClassifierDecision`. `size` is in pixels, `resample` one of Pillow's filters."""

    margin: float
    aspect: float
    size: int
    resample: int = Image.Resampling.BILINEAR


def crop_window(box: Box, width: int, height: int, spec: CropSpec) -> tuple[float, float, float, float]:
    """The crop window [x0, y0, x1, y1] in pixels: the box with its margin, clipped to the photo, and cut from below to the aspect."""
    x0, x1 = box[0] * width, box[2] * width
    y0, y1 = box[1] * height, box[3] * height
    margin = spec.margin * min(x1 - x0, y1 - y0)
    x0, x1 = max(0.0, x0 - margin), min(float(width), x1 + margin)
    y0, y1 = max(0.0, y0 - margin), min(float(height), y1 + margin)
    return x0, y0, x1, min(y1, y0 + spec.aspect * (x1 - x0))


def crop_person(photo: RGB, box: Box, spec: CropSpec) -> RGB:
    """Crops the person from (H, W, 3) and resizes the crop to (size, size, 3), uint8."""
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = crop_window(box, width, height, spec)
    # At least one whole pixel, however thin the box: resize() needs an area inside the photo.
    x0, y0 = min(x0, width - 1.0), min(y0, height - 1.0)
    x1, y1 = max(x1, x0 + 1.0), max(y1, y0 + 1.0)
    crop = Image.fromarray(photo).resize((spec.size, spec.size), Image.Resampling(spec.resample), box=(x0, y0, x1, y1), reducing_gap=3.0)
    return np.asarray(crop)

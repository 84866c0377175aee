"""The types of photos and boxes."""

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
"""A photo or a crop, upright: shape (H, W, 3)."""

Box = tuple[float, float, float, float]
"""[x0, y0, x1, y1] relative to the size of the upright photo, 0 to 1."""

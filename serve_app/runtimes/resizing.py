"""Resizes photos exactly as the checkpoint's image processor does, without importing transformers."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, model_validator

Pixels = NDArray[np.uint8]  # (H, W, 3)


class ResizeSpec(BaseModel):
    """The size of resized photos, by one of the two rules of transformers' image processors.

    Attributes:
        exact: (height, width), whatever the photo's shape; or:
        edges: (shortest, longest): the shorter side becomes `shortest`, or less if the longer one would exceed `longest`.
        multiple: with `edges`, both sides are rounded down to a multiple of this (YOLOS).
        resample: one of Pillow's filters.
    """

    model_config = ConfigDict(frozen=True)

    exact: tuple[int, int] | None = None
    edges: tuple[int, int] | None = None
    multiple: int = 1
    resample: int = Image.Resampling.BILINEAR

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.exact is None) == (self.edges is None):
            raise ValueError("either `exact` or `edges` must be given")
        return self

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) after resizing."""
        if self.exact:
            return self.exact
        assert self.edges is not None
        shortest, longest = self.edges
        short, long = min(height, width), max(height, width)
        wanted: float = shortest
        if long / short * shortest > longest:
            wanted = longest * short / long
        new_short, new_long = round(wanted), int(wanted * long / short)
        if short == new_short:
            new_long = long
        new_short, new_long = (side - side % self.multiple for side in (new_short, new_long))
        return (new_short, new_long) if height <= width else (new_long, new_short)

    def __call__(self, photo: Pixels) -> Pixels:
        """Resizes a photo of shape (H, W, 3), uint8."""
        height, width = self.size(*photo.shape[:2])
        return np.asarray(Image.fromarray(photo).resize((max(1, width), max(1, height)), Image.Resampling(self.resample)))

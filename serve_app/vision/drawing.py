"""Drawn pictures of one person each, for the self-test of models (see `golden`).

They are computed from a number, with arithmetic alone: no picture has to be shipped, and each is the same wherever it is drawn.
"""

import random

import numpy as np
from numpy.typing import NDArray

from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedHead, DetectedPerson

DRAWING = 1  # raise it when a number means another picture: what models have answered about the earlier ones says nothing then
HEIGHT, WIDTH = 320, 256
SOFT = 1.5  # pixels over which an edge fades, as in photos

Floats = NDArray[np.float64]


def draw(number: int) -> tuple[RGB, DetectedPerson]:
    """The picture of a number, and the person in it: from the chest up, with long or short hair, with or without a beard."""
    chance = random.Random(number).random  # noqa: S311 - nothing secret; Python keeps its sequence for ever

    def between(low: float, high: float) -> float:
        return low + (high - low) * chance()

    def colour(darkest: float, lightest: float) -> Floats:
        return np.array([between(darkest, lightest) for _ in range(3)])

    picture = _Picture(colour(60, 230), colour(60, 230))
    skin = np.array([1.0, 0.8, 0.68]) * between(110, 240)
    hair, shirt, dark = colour(15, 110), colour(30, 220), skin * 0.6
    x, y, size = between(0.42, 0.58) * WIDTH, between(0.3, 0.38) * HEIGHT, between(38, 52)
    long_hair, beard = chance() < 0.5, chance() < 0.3
    if long_hair:
        picture.ellipse(hair, x, y + 0.5 * size, 1.35 * size, 1.9 * size)
    shoulders = y + 1.9 * size
    picture.ellipse(shirt, x, shoulders + 2.2 * size, 2.3 * size, 2.4 * size)
    picture.ellipse(skin * 0.85, x, y + 1.2 * size, 0.5 * size, 0.95 * size)  # neck
    picture.ellipse(skin, x, y, 0.95 * size, 1.2 * size)
    picture.ellipse(dark, x + 0.55 * size, y + 0.1 * size, 0.3 * size, 0.8 * size, alpha=0.25)  # shade on one side
    if beard:
        picture.ellipse(hair, x, y + 0.85 * size, 0.7 * size, 0.45 * size)
    for side in (-1, 1):
        picture.ellipse(hair, x + 0.4 * side * size, y - 0.28 * size, 0.26 * size, 0.06 * size)  # brow
        picture.ellipse(np.full(3, 235.0), x + 0.4 * side * size, y - 0.08 * size, 0.2 * size, 0.1 * size)
        picture.ellipse(np.full(3, 30.0), x + 0.4 * side * size, y - 0.08 * size, 0.09 * size, 0.09 * size)
    picture.ellipse(dark, x + 0.04 * size, y + 0.28 * size, 0.14 * size, 0.22 * size, alpha=0.6)  # nose
    picture.ellipse(np.array([between(130, 200), 70.0, 75.0]), x, y + 0.66 * size, 0.36 * size, 0.1 * size)  # mouth
    picture.ellipse(hair, x, y - 0.85 * size, 0.98 * size, 0.55 * size)
    head = _relative(x - 1.1 * size, y - 1.4 * size, x + 1.1 * size, y + 1.25 * size)
    body = _relative(x - 2.3 * size, y - 1.4 * size, x + 2.3 * size, HEIGHT)
    return picture.pixels, DetectedPerson(body, 0.9, DetectedHead(head, 0.9), heads_known=True)


class _Picture:
    """A picture that grows by soft ellipses; at first it fades from one colour to another."""

    def __init__(self, top: Floats, bottom: Floats) -> None:
        self._y, self._x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
        down = (self._y / HEIGHT)[..., None]
        self._colours = top * (1 - down) + bottom * down

    def ellipse(self, colour: Floats, x: float, y: float, across: float, down: float, alpha: float = 1.0) -> None:
        """Adds an ellipse, by its centre and half axes."""
        part = (
            slice(max(0, int(y - down - SOFT)), max(0, int(y + down + SOFT) + 1)),
            slice(max(0, int(x - across - SOFT)), max(0, int(x + across + SOFT) + 1)),
        )
        inside = (1 - np.hypot((self._x[part] - x) / across, (self._y[part] - y) / down)) * min(across, down) / SOFT
        mask = (alpha * np.clip(inside + 0.5, 0, 1))[..., None]
        self._colours[part] = self._colours[part] * (1 - mask) + colour * mask

    @property
    def pixels(self) -> RGB:
        """What was drawn."""
        pixels: RGB = self._colours.round().clip(0, 255).astype(np.uint8)
        return pixels


def _relative(x0: float, y0: float, x1: float, y1: float) -> Box:
    return max(0.0, x0 / WIDTH), max(0.0, y0 / HEIGHT), min(1.0, x1 / WIDTH), min(1.0, y1 / HEIGHT)

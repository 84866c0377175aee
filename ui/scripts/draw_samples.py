"""Draws the sample pictures of the page's start, so that no photo of anybody has to be shipped: `python ui/scripts/draw_samples.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parents[1] / "src/features/upload/samples"
SIZE = (400, 500)
SCALE = 3.2  # pixels that are drawn per unit; the pictures are drawn on 320 x 400 units, and then made smaller
CANVAS = (1024, 1280)

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]
SKIN_SHADE, SKIN_LIGHT = 0.62, 1.12


class Brush:
    """Draws shapes on a layer, placed and scaled as a whole."""

    def __init__(self, layer: Image.Image, x: float, y: float, scale: float) -> None:
        self._draw = ImageDraw.Draw(layer)
        self._x, self._y, self._scale = x, y, scale

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return (self._x + (x - 160) * self._scale) * SCALE, (self._y + (y - 75) * self._scale) * SCALE

    def ellipse(self, x: float, y: float, width: float, height: float, alpha: int = 255) -> None:
        """An ellipse by its centre and half axes."""
        self._draw.ellipse([self._place(x - width, y - height), self._place(x + width, y + height)], fill=alpha)

    def polygon(self, points: Points, alpha: int = 255) -> None:
        """A polygon by its corners."""
        self._draw.polygon([self._place(x, y) for x, y in points], fill=alpha)


class Picture:
    """A picture that grows by soft shapes of one colour each."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        down = np.linspace(0, 1, CANVAS[1])[:, None, None]
        aside = np.linspace(-1, 1, CANVAS[0])[None, :, None]
        pixels = np.array(top) * (1 - down) + np.array(bottom) * down - 25 * aside**2
        self._image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def add(
        self,
        colour: Colour,
        draw: Callable[[Brush], None],
        at: tuple[float, float, float],
        blur: float = 1,
        within: Image.Image | None = None,
    ) -> Image.Image:
        """Adds what `draw` draws at `at` (x, y and scale), and returns its mask; `within` cuts it to another mask."""
        mask = Image.new("L", CANVAS)
        draw(Brush(mask, *at))
        mask = mask.filter(ImageFilter.GaussianBlur(blur * SCALE * at[2]))
        if within is not None:
            mask = Image.fromarray((np.asarray(mask, float) * np.asarray(within, float) / 255).astype(np.uint8))
        self._image.paste(colour, (0, 0), mask)
        return mask

    def save(self, name: str) -> None:
        """Saves it smaller, with a little noise, as cameras have."""
        pixels = np.asarray(self._image.resize(SIZE, Image.Resampling.LANCZOS), float)
        noise = np.random.default_rng(0).normal(0, 4, (*pixels.shape[:2], 1))
        FOLDER.mkdir(exist_ok=True)
        Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(FOLDER / f"{name}.jpg", quality=84)


@dataclass(frozen=True)
class Look:
    """What a drawn person looks like."""

    skin: Colour = (214, 168, 140)
    hair: Colour = (58, 40, 30)
    shirt: Colour = (60, 80, 110)
    lips: Colour = (176, 98, 92)
    long_hair: bool = False
    beard: bool = False


def shade(colour: Colour, factor: float) -> Colour:
    """A darker or lighter colour."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def person(picture: Picture, look: Look, x: float = 160, y: float = 75, scale: float = 1) -> None:
    """Draws a person from the chest up, the top of the head at (x, y)."""
    at = (x, y, scale)
    dark, light = shade(look.skin, SKIN_SHADE), shade(look.skin, SKIN_LIGHT)
    if look.long_hair:
        picture.add(look.hair, lambda b: (b.ellipse(160, 140, 74, 78), b.polygon(LONG_HAIR))[0], at, 3)
    neck = picture.add(look.skin, lambda b: b.polygon([(131, 200), (189, 200), (196, 270), (124, 270)]), at)
    picture.add(dark, lambda b: b.polygon([(127, 216), (193, 216), (190, 240), (130, 240)], 170), at, 5, neck)
    body(picture, look, at)
    for side in () if look.long_hair else (104, 216):
        picture.add(shade(look.skin, 0.9), lambda b, side=side: b.ellipse(side, 150, 9, 17), at)
    head = picture.add(look.skin, lambda b: (b.ellipse(160, 142, 56, 67), b.ellipse(160, 175, 46, 49))[0], at)
    picture.add(dark, lambda b: (b.ellipse(102, 142, 24, 75, 150), b.ellipse(220, 165, 20, 75, 190), b.ellipse(160, 230, 45, 17, 170))[0], at, 12, head)
    picture.add(light, lambda b: (b.ellipse(150, 110, 30, 17, 140), b.ellipse(131, 172, 16, 12, 120), b.ellipse(187, 172, 14, 11, 90))[0], at, 8, head)
    face(picture, look, at, head)
    picture.add(look.hair, lambda b: (b.ellipse(160, 104, 59, 38), b.polygon(FRINGE if look.long_hair else SIDES))[0], at, 3)
    picture.add(shade(look.hair, 1.6), lambda b: b.ellipse(145, 82, 34, 10, 110), at, 7)


LONG_HAIR = [(86, 140), (234, 140), (246, 300), (220, 330), (200, 335), (120, 335), (100, 330), (74, 300)]
FRINGE = [(100, 170), (98, 110), (222, 110), (220, 170), (210, 132), (190, 116), (148, 112), (118, 126), (108, 146)]
SIDES = [(102, 150), (100, 110), (220, 110), (218, 150), (212, 122), (196, 110), (124, 110), (108, 122)]


def body(picture: Picture, look: Look, at: tuple[float, float, float]) -> None:
    """Shoulders and shirt."""
    sides = [(85, 265), (131, 250), (189, 250), (235, 265), (300, 330), (300, 800), (20, 800), (20, 330)]
    shirt = picture.add(look.shirt, lambda b: (b.ellipse(85, 330, 65, 65), b.ellipse(235, 330, 65, 65), b.polygon(sides))[0], at)
    arms = ([(20, 350), (95, 330), (105, 760), (20, 760)], [(300, 350), (225, 330), (215, 760), (300, 760)])
    picture.add(shade(look.shirt, 0.55), lambda b: [b.polygon(arm, 120) for arm in arms][0], at, 9, shirt)
    picture.add(shade(look.shirt, 0.7), lambda b: b.polygon([(122, 250), (160, 296), (198, 250), (206, 262), (160, 316), (114, 262)], 150), at, 5, shirt)
    collar = picture.add(look.skin, lambda b: b.polygon([(131, 249), (189, 249), (160, 288)]), at)
    picture.add(shade(look.skin, SKIN_SHADE), lambda b: b.polygon([(131, 249), (189, 249), (160, 272)], 120), at, 5, collar)


def face(picture: Picture, look: Look, at: tuple[float, float, float], head: Image.Image) -> None:
    """Eyes, nose, mouth, and a beard."""
    dark = shade(look.skin, SKIN_SHADE)
    for x in (136, 184):
        for colour, width, height, alpha, blur in (
            (dark, 17, 10, 150, 4),
            ((60, 42, 34), 12.5, 6.8, 255, 0.8),
            ((238, 232, 226), 11.5, 5, 255, 0.5),
            ((70, 52, 40), 5, 5, 255, 0.4),
            ((15, 12, 10), 2.5, 2.5, 255, 0.3),
        ):
            picture.add(colour, lambda b, w=width, h=height, a=alpha, x=x: b.ellipse(x, 148, w, h, a), at, blur)
        brow = [(x - 16, 135), (x - 5, 129.5), (x + 7, 129.5), (x + 16, 135), (x + 6, 133.5), (x - 5, 133.5)]
        picture.add(look.hair, lambda b, brow=brow: b.polygon(brow), at)
    picture.add(dark, lambda b: b.polygon([(163, 145), (170, 180), (161, 186)], 130), at, 3, head)
    picture.add(shade(dark, 0.8), lambda b: (b.ellipse(153, 184, 3.5, 2), b.ellipse(167, 184, 3.5, 2))[0], at, 1, head)
    if look.beard:
        picture.add(look.hair, lambda b: (b.ellipse(160, 205, 44, 22), b.polygon([(133, 193), (187, 193), (190, 202), (130, 202)]))[0], at, 5, head)
    picture.add(look.lips, lambda b: b.polygon([(142, 202), (154, 198.5), (160, 200), (166, 198.5), (178, 202), (168, 210), (152, 210)]), at, 0.8)
    picture.add((80, 35, 35), lambda b: b.polygon([(143, 202), (160, 204), (177, 202), (160, 205)]), at, 0.5)


BEARDED = Look(beard=True, shirt=(52, 66, 92))
LONG_HAIRED = Look(skin=(228, 184, 158), hair=(92, 56, 34), shirt=(150, 60, 70), lips=(190, 70, 80), long_hair=True)
SHORT_HAIRED = Look(hair=(40, 32, 28), shirt=(90, 110, 90))


def main() -> None:
    """Draws all of them."""
    for name, look, top, bottom in (
        ("beard", BEARDED, (196, 204, 206), (150, 160, 166)),
        ("long-hair", LONG_HAIRED, (208, 200, 190), (170, 160, 150)),
        ("short-hair", SHORT_HAIRED, (200, 206, 200), (160, 168, 160)),
    ):
        one = Picture(top, bottom)
        person(one, look)
        one.save(name)
    two = Picture((190, 200, 212), (150, 160, 172))
    person(two, BEARDED, x=84, y=120, scale=0.5)
    person(two, LONG_HAIRED, x=236, y=126, scale=0.5)
    two.save("two")
    nobody = Picture((168, 196, 220), (236, 226, 206))
    place = (160, 75, 1)
    nobody.add((250, 240, 214), lambda b: b.ellipse(230, 95, 24, 24), place, 2)
    nobody.add((120, 142, 160), lambda b: b.polygon([(-10, 270), (70, 130), (130, 220), (200, 110), (340, 280), (340, 420), (-10, 420)]), place, 1.5)
    nobody.add((96, 128, 104), lambda b: b.polygon([(-10, 300), (90, 250), (200, 290), (340, 240), (340, 420), (-10, 420)]), place, 1.5)
    nobody.add((70, 104, 80), lambda b: b.polygon([(-10, 360), (140, 310), (340, 350), (340, 420), (-10, 420)]), place, 1.5)
    nobody.save("nobody")


if __name__ == "__main__":
    main()

"""Draws the sample pictures of the page's start, so that no photo of anybody has to be shipped: `python ui/scripts/draw_samples.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parents[1] / "src/features/upload/samples"
SIZE = (400, 500)
SHOWN = (0, 20, 400, 420)  # the part that the start shows, small
SHOWN_SIZE = (192, 192)  # for 64 pixels of CSS on a screen of three pixels each
CANVAS = (1024, 1280)  # drawn larger than shown, which smooths edges
SCALE = 3.2  # pixels of the canvas for one unit: coordinates are within 320 x 400
TOP_OF_HEAD = (160, 75)

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Ellipse:
    """By its centre and half axes."""

    x: float
    y: float
    width: float
    height: float
    alpha: int = 255


@dataclass(frozen=True)
class Polygon:
    """By its corners."""

    points: Points
    alpha: int = 255


Shape = Ellipse | Polygon


@dataclass(frozen=True)
class Place:
    """Where the top of a head is, and how large the person."""

    x: float = TOP_OF_HEAD[0]
    y: float = TOP_OF_HEAD[1]
    scale: float = 1

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """A point on the canvas."""
        return (self.x + (x - TOP_OF_HEAD[0]) * self.scale) * SCALE, (self.y + (y - TOP_OF_HEAD[1]) * self.scale) * SCALE


class Picture:
    """A picture that grows by soft shapes of one colour each."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        down = np.linspace(0, 1, CANVAS[1])[:, None, None]
        aside = np.linspace(-1, 1, CANVAS[0])[None, :, None]
        pixels = np.array(top) * (1 - down) + np.array(bottom) * down - 25 * aside**2
        self._image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def add(self, colour: Colour, shapes: Sequence[Shape], place: Place, blur: float = 1, within: Image.Image | None = None) -> Image.Image:
        """Adds shapes and returns their mask; `within` cuts them to another mask."""
        mask = Image.new("L", CANVAS)
        pen = ImageDraw.Draw(mask)
        for shape in shapes:
            if isinstance(shape, Polygon):
                pen.polygon([place.pixel(x, y) for x, y in shape.points], fill=shape.alpha)
            else:
                upper = place.pixel(shape.x - shape.width, shape.y - shape.height)
                lower = place.pixel(shape.x + shape.width, shape.y + shape.height)
                pen.ellipse([upper, lower], fill=shape.alpha)
        mask = mask.filter(ImageFilter.GaussianBlur(blur * SCALE * place.scale))
        if within is not None:
            mask = Image.fromarray((np.asarray(mask, float) * np.asarray(within, float) / 255).astype(np.uint8))
        self._image.paste(colour, (0, 0), mask)
        return mask

    def save(self, name: str) -> None:
        """Saves it smaller, with a little noise, as cameras have, and what the start shows of it, without."""
        picture = self._image.resize(SIZE, Image.Resampling.LANCZOS)
        pixels = np.asarray(picture, float)
        noise = np.random.default_rng(0).normal(0, 4, (*pixels.shape[:2], 1))
        FOLDER.mkdir(exist_ok=True)
        Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(FOLDER / f"{name}.jpg", quality=84)
        picture.crop(SHOWN).resize(SHOWN_SIZE, Image.Resampling.LANCZOS).save(FOLDER / f"{name}-small.jpg", quality=82, optimize=True)


@dataclass(frozen=True)
class Look:
    """What a drawn person looks like."""

    skin: Colour = (214, 168, 140)
    hair: Colour = (58, 40, 30)
    shirt: Colour = (60, 80, 110)
    lips: Colour = (176, 98, 92)
    long_hair: bool = False
    beard: bool = False


LONG_HAIR = [(86, 140), (234, 140), (246, 300), (220, 330), (200, 335), (120, 335), (100, 330), (74, 300)]
FRINGE = [(100, 170), (98, 110), (222, 110), (220, 170), (210, 132), (190, 116), (148, 112), (118, 126), (108, 146)]
SIDES = [(102, 150), (100, 110), (220, 110), (218, 150), (212, 122), (196, 110), (124, 110), (108, 122)]
SHOULDERS = [(85, 265), (131, 250), (189, 250), (235, 265), (300, 330), (300, 800), (20, 800), (20, 330)]
ARMS = [[(20, 350), (95, 330), (105, 760), (20, 760)], [(300, 350), (225, 330), (215, 760), (300, 760)]]
NECKLINE = [(122, 250), (160, 296), (198, 250), (206, 262), (160, 316), (114, 262)]
LIPS = [(142, 202), (154, 198.5), (160, 200), (166, 198.5), (178, 202), (168, 210), (152, 210)]


def shade(colour: Colour, factor: float) -> Colour:
    """A darker or lighter colour."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def draw_person(picture: Picture, look: Look, place: Place) -> None:
    """Draws a person from the chest up."""
    dark, light = shade(look.skin, 0.62), shade(look.skin, 1.12)
    if look.long_hair:
        picture.add(look.hair, [Ellipse(160, 140, 74, 78), Polygon(LONG_HAIR)], place, 3)
    neck = picture.add(look.skin, [Polygon([(131, 200), (189, 200), (196, 270), (124, 270)])], place)
    picture.add(dark, [Polygon([(127, 216), (193, 216), (190, 240), (130, 240)], 170)], place, 5, neck)
    draw_shirt(picture, look, place)
    if not look.long_hair:
        picture.add(shade(look.skin, 0.9), [Ellipse(104, 150, 9, 17), Ellipse(216, 150, 9, 17)], place)
    head = picture.add(look.skin, [Ellipse(160, 142, 56, 67), Ellipse(160, 175, 46, 49)], place)
    picture.add(dark, [Ellipse(102, 142, 24, 75, 150), Ellipse(220, 165, 20, 75, 190), Ellipse(160, 230, 45, 17, 170)], place, 12, head)
    picture.add(light, [Ellipse(150, 110, 30, 17, 140), Ellipse(131, 172, 16, 12, 120), Ellipse(187, 172, 14, 11, 90)], place, 8, head)
    draw_face(picture, look, place, head)
    picture.add(look.hair, [Ellipse(160, 104, 59, 38), Polygon(FRINGE if look.long_hair else SIDES)], place, 3)
    picture.add(shade(look.hair, 1.6), [Ellipse(145, 82, 34, 10, 110)], place, 7)


def draw_shirt(picture: Picture, look: Look, place: Place) -> None:
    """Shoulders, shirt and its neckline."""
    shirt = picture.add(look.shirt, [Ellipse(85, 330, 65, 65), Ellipse(235, 330, 65, 65), Polygon(SHOULDERS)], place)
    picture.add(shade(look.shirt, 0.55), [Polygon(arm, 120) for arm in ARMS], place, 9, shirt)
    picture.add(shade(look.shirt, 0.7), [Polygon(NECKLINE, 150)], place, 5, shirt)
    collar = picture.add(look.skin, [Polygon([(131, 249), (189, 249), (160, 288)])], place)
    picture.add(shade(look.skin, 0.62), [Polygon([(131, 249), (189, 249), (160, 272)], 120)], place, 5, collar)


def draw_face(picture: Picture, look: Look, place: Place, head: Image.Image) -> None:
    """Eyes, nose, mouth, and a beard."""
    dark = shade(look.skin, 0.62)
    for x in (136, 184):
        picture.add(dark, [Ellipse(x, 148, 17, 10, 150)], place, 4)
        picture.add((60, 42, 34), [Ellipse(x, 148, 12.5, 6.8)], place, 0.8)
        picture.add((238, 232, 226), [Ellipse(x, 148, 11.5, 5)], place, 0.5)
        picture.add((70, 52, 40), [Ellipse(x, 148, 5, 5)], place, 0.4)
        picture.add((15, 12, 10), [Ellipse(x, 148, 2.5, 2.5)], place, 0.3)
        brow = [(x - 16, 135), (x - 5, 129.5), (x + 7, 129.5), (x + 16, 135), (x + 6, 133.5), (x - 5, 133.5)]
        picture.add(look.hair, [Polygon(brow)], place)
    picture.add(dark, [Polygon([(163, 145), (170, 180), (161, 186)], 130)], place, 3, head)
    picture.add(shade(dark, 0.8), [Ellipse(153, 184, 3.5, 2), Ellipse(167, 184, 3.5, 2)], place, 1, head)
    if look.beard:
        picture.add(look.hair, [Ellipse(160, 205, 44, 22), Polygon([(133, 193), (187, 193), (190, 202), (130, 202)])], place, 5, head)
    picture.add(look.lips, [Polygon(LIPS)], place, 0.8)
    picture.add((80, 35, 35), [Polygon([(143, 202), (160, 204), (177, 202), (160, 205)])], place, 0.5)


def draw_hills(picture: Picture) -> None:
    """A landscape without anybody."""
    mountains = [(-10, 270), (70, 130), (130, 220), (200, 110), (340, 280), (340, 420), (-10, 420)]
    hills = [(-10, 300), (90, 250), (200, 290), (340, 240), (340, 420), (-10, 420)]
    meadow = [(-10, 360), (140, 310), (340, 350), (340, 420), (-10, 420)]
    picture.add((250, 240, 214), [Ellipse(230, 95, 24, 24)], Place(), 2)
    for colour, points in (((120, 142, 160), mountains), ((96, 128, 104), hills), ((70, 104, 80), meadow)):
        picture.add(colour, [Polygon(points)], Place(), 1.5)


def main() -> None:
    """Draws all of them."""
    beard = Look(beard=True, shirt=(52, 66, 92))
    long_hair = Look(skin=(228, 184, 158), hair=(92, 56, 34), shirt=(150, 60, 70), lips=(190, 70, 80), long_hair=True)
    short_hair = Look(hair=(40, 32, 28), shirt=(90, 110, 90))
    for name, look, top, bottom in (
        ("beard", beard, (196, 204, 206), (150, 160, 166)),
        ("long-hair", long_hair, (208, 200, 190), (170, 160, 150)),
        ("short-hair", short_hair, (200, 206, 200), (160, 168, 160)),
    ):
        one = Picture(top, bottom)
        draw_person(one, look, Place())
        one.save(name)
    two = Picture((190, 200, 212), (150, 160, 172))
    draw_person(two, beard, Place(84, 120, 0.5))
    draw_person(two, long_hair, Place(236, 126, 0.5))
    two.save("two")
    nobody = Picture((168, 196, 220), (236, 226, 206))
    draw_hills(nobody)
    nobody.save("nobody")


if __name__ == "__main__":
    main()

"""Drawn photos with known contents: coloured figures on a grey background, as training and evaluation data."""

import csv
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageDraw

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import DetectorDecision
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedHead, DetectedPerson

Pixels = tuple[int, int, int, int]

GREY = (128, 128, 128)
RED = (230, 20, 20)
BLUE = (20, 20, 230)


def draw(figures: Sequence[Pixels], size: tuple[int, int] = (96, 64), colour: tuple[int, int, int] = RED) -> Image.Image:
    """A photo of `size` (width, height) with a rectangle per figure: [x0, y0, x1, y1], x1 and y1 exclusive."""
    photo = Image.new("RGB", size, GREY)
    pen = ImageDraw.Draw(photo)
    for x0, y0, x1, y1 in figures:
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=colour)
    return photo


def save(photo: Image.Image, path: Path) -> None:
    """Saves as JPEG, with a quality that keeps colours within a few steps of the drawn ones."""
    photo.save(path, "JPEG", quality=100, subsampling=0)


def columns(count: int) -> list[Pixels]:
    """`count` (0 to 3) tall figures that stand apart in a photo of 96 x 64."""
    return [(6 + 30 * index, 8, 26 + 30 * index, 60) for index in range(count)]


def head_of(figure: Pixels) -> Pixels:
    """The box of a figure's head."""
    x0, y0, x1, _ = figure
    quarter = (x1 - x0) // 4
    return x0 + quarter, y0, x1 - quarter, y0 + 2 * quarter


def relative(pixels: Pixels, width: int, height: int) -> Box:
    """A box relative to a photo of this size."""
    x0, y0, x1, y1 = pixels
    return x0 / width, y0 / height, x1 / width, y1 / height


def write_people(
    folder: Path, splits: Sequence[str] = ("train", "val", "test"), photos: int = 9, categories: Sequence[str] = ("person", "head")
) -> Path:
    """Writes a folder like person.tar: SPLIT/*.jpg and SPLIT.json (COCO), with 0, 1 and 2 people in turn.

    The categories are `person`, `head` or both; all figures have a box of each.
    """
    for split in splits:
        (folder / split).mkdir(parents=True)
        document: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
        document["categories"] = [{"id": number, "name": name} for number, name in enumerate(categories, 1)]
        for number in range(photos):
            figures = columns(number % 3)
            name = f"{split}/{number}.jpg"
            save(draw(figures), folder / name)
            document["images"].append({"id": number, "file_name": name, "width": 96, "height": 64, "source": f"drawn_{number % 2}"})
            for figure, category in product(figures, categories):
                x0, y0, x1, y1 = {"person": figure, "head": head_of(figure)}[category]
                box = [x0, y0, x1 - x0, y1 - y0]
                document["annotations"].append({"image_id": number, "category_id": categories.index(category) + 1, "bbox": box})
        (folder / f"{split}.json").write_text(json.dumps(document))
    return folder


def write_portraits(folder: Path, splits: Sequence[str] = ("train", "val", "test", "val_lfw"), photos: int = 4) -> Path:
    """Writes a folder like gender.tar, with red women and blue men, and returns its index.csv.

    Of the two sources, in `face` the person fills the photo and in `body` the person stands. As in gender.tar, files of the two
    labels have the same names in different folders.
    """
    rows = []
    for split in splits:
        for label, colour in (("female", RED), ("male", BLUE)):
            (folder / split / label).mkdir(parents=True)
            for source, figure in (("face", (2, 2, 94, 62)), ("body", (30, 6, 60, 62))):
                for number in range(photos):
                    path = f"{split}/{label}/{source}_{number}.jpg"
                    save(draw([figure], colour=colour), folder / path)
                    rows.append({"path": path, "split": split, "gender": label, "source": source})
    index = folder / "index.csv"
    with index.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "split", "gender", "source"])
        writer.writeheader()
        writer.writerows(rows)
    return index


class FigureFinder:
    """Fake detector that is always right about drawn photos: separate figures are people.

    Attributes:
        photos: number of photos it has seen.
        heads: whether it finds the heads of figures (see `head_of`) that are taller than wide; of others no head is seen.
    """

    def __init__(self, revision: str = "finder", *, heads: bool = False) -> None:
        self.photos = 0
        self.heads = heads
        self.decision = DetectorDecision()
        self.checkpoint = Checkpoint("finder", Path("finder"), "finder", revision)

    def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        self.photos += len(photos)
        return [self._figures(photo) for photo in photos]

    def as_detector(self) -> Detector:
        """Itself, typed as the detector that it fakes."""
        return cast(Detector, self)

    def _figures(self, photo: RGB) -> list[DetectedPerson]:
        height, width = photo.shape[:2]
        coloured = np.ptp(photo.astype(int), axis=-1) > 60
        edges = np.flatnonzero(np.diff(coloured.any(axis=0).astype(int), prepend=0, append=0))
        people = []
        for x0, x1 in zip(edges[::2], edges[1::2], strict=True):
            rows = np.flatnonzero(coloured[:, x0:x1].any(axis=1))
            figure = int(x0), int(rows[0]), int(x1), int(rows[-1]) + 1
            seen = self.heads and figure[3] - figure[1] > figure[2] - figure[0]
            head = DetectedHead(relative(head_of(figure), width, height), 0.9) if seen else None
            people.append(DetectedPerson(relative(figure, width, height), 0.9, head, heads_known=self.heads))
        return people

"""Photos of one person each, labelled male or female, cut and augmented for training."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from serve_app.cropping import RGB, CropSpec, crop_window
from serve_app.gate import RelativeBox

WHOLE_PHOTO: RelativeBox = (0.0, 0.0, 1.0, 1.0)

Window = tuple[float, float, float, float]  # [x0, y0, x1, y1] in pixels


@dataclass(frozen=True)
class LabelledPerson:
    """A photo's file, its label, the collection that it comes from, and the box of its person."""

    path: Path
    label: str
    source: str
    box: RelativeBox = WHOLE_PHOTO


def read_index(index: Path, split: str) -> list[LabelledPerson]:
    """Reads a split of `index.csv` (columns `path,split,gender,source`); paths are relative to its folder."""
    with index.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [LabelledPerson(index.parent / row["path"], row["gender"], row["source"]) for row in rows]


def sampling_weights(people: Sequence[LabelledPerson], source_power: float) -> NDArray[np.float64]:
    """Probability of each photo to be drawn: labels balanced within each source, sources by (their size ** source_power).

    A power of 1 leaves the sources as they are, 0 makes them equal.
    """
    groups = Counter((person.source, person.label) for person in people)
    sources = Counter(person.source for person in people)
    labels_of = {source: sum(1 for s, _ in groups if s == source) for source in sources}
    weights = np.array(
        [sources[p.source] ** source_power / labels_of[p.source] / groups[p.source, p.label] for p in people], dtype=np.float64
    )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


@dataclass(frozen=True)
class Augmentation:
    """How strongly training photos are changed; `NONE` switches it off.

    What a detector cuts out of real photos ranges from a face from edge to edge to a whole person: no collection has it all, so the
    crops are varied in both directions.

    Attributes:
        zoom_out: chance that a close-up is put, smaller, on a background.
        head_crop: chance that only the upper part of a tall box is shown.
        loosen: chance that a box is taken with up to half its shorter side around it: detectors' boxes are not always tight.
        jitter: largest shift of each edge of the crop, as a share of its side.
        turn_degrees: largest rotation.
        colour: largest relative change of brightness, contrast and colour.
        grey: chance of a photo without colour.
        blur: chance of a photo of low resolution.
        erase: chance that a patch is painted over (Zhong et al. 2020, Random Erasing).
    """

    zoom_out: float = 0.5
    head_crop: float = 0.3
    loosen: float = 0.3
    jitter: float = 0.12
    turn_degrees: float = 12.0
    colour: float = 0.35
    grey: float = 0.1
    blur: float = 0.2
    erase: float = 0.2


NONE = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)


class ClassificationDataset(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Augmented crops, (3, size, size) uint8, and the index of their label.

    What an item looks like depends on the seed and its index only, never on which worker made it.
    """

    def __init__(self, people: Sequence[LabelledPerson], labels: Sequence[str], spec: CropSpec, how: Augmentation, seed: int) -> None:
        self.people = people
        self.labels = list(labels)
        self.spec = spec
        self.how = how
        self.seed = seed

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        person = self.people[index]
        with Image.open(person.path) as file:
            photo = ImageOps.exif_transpose(file).convert("RGB")  # boxes are relative to the upright photo
        crop = augmented_crop(photo, person.box, self.spec, self.how, np.random.default_rng([self.seed, index]))
        return torch.from_numpy(crop).permute(2, 0, 1), self.labels.index(person.label)


def augmented_crop(photo: Image.Image, box: RelativeBox, spec: CropSpec, how: Augmentation, rng: np.random.Generator) -> RGB:
    """One crop of the person, varied; shape (spec.size, spec.size, 3), uint8."""
    close_up = (box[2] - box[0]) * (box[3] - box[1]) > 0.85
    if close_up and rng.random() < how.zoom_out:
        photo, box = _on_background(photo, rng)
    if how.jitter:
        spec = replace(spec, aspect=float(rng.uniform(1.0, 2.5)))
    if not close_up and rng.random() < how.loosen:
        spec = replace(spec, margin=float(rng.uniform(0.0, 0.5)))
    window = crop_window(box, photo.width, photo.height, spec)
    if not close_up and rng.random() < how.head_crop:
        window = _upper_part(window, rng)
    window = _jittered(window, photo.size, how.jitter, rng)
    if how.turn_degrees and rng.random() < 0.4:
        centre = ((window[0] + window[2]) / 2, (window[1] + window[3]) / 2)
        photo = photo.rotate(rng.uniform(-how.turn_degrees, how.turn_degrees), Image.Resampling.BILINEAR, center=centre)
    crop = photo.resize((spec.size, spec.size), Image.Resampling(spec.resample), box=window, reducing_gap=3.0)
    return np.array(_recoloured(crop, how, rng))


def _on_background(photo: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, RelativeBox]:
    """A smaller copy on a blurred, stretched or plain background, as heads are seen in wider crops."""
    scale = rng.uniform(0.25, 0.9)
    width, height = photo.size
    canvas_size = (int(width / scale), int(height / scale))
    if rng.random() < 0.5:
        canvas = photo.resize(canvas_size).filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 12))))
    else:
        canvas = Image.new("RGB", canvas_size, tuple(int(v) for v in rng.integers(0, 256, 3)))
    x = int((canvas_size[0] - width) * rng.uniform(0.2, 0.8))
    y = int((canvas_size[1] - height) * rng.uniform(0.1, 0.7))
    canvas.paste(photo, (x, y))
    return canvas, WHOLE_PHOTO


def _upper_part(window: Window, rng: np.random.Generator) -> Window:
    """The upper middle of a box that may show a whole person: about the head and the shoulders."""
    x0, y0, x1, y1 = window
    width = (x1 - x0) * rng.uniform(0.5, 1.0)
    x0 += (x1 - x0 - width) * rng.uniform(0.3, 0.7)
    return x0, y0, x0 + width, min(y1, y0 + width * rng.uniform(0.9, 1.3))


def _jittered(window: Window, size: tuple[int, int], jitter: float, rng: np.random.Generator) -> Window:
    x0, y0, x1, y1 = window
    shift = rng.uniform(-jitter, jitter, size=4) * np.array([x1 - x0, y1 - y0] * 2)
    x0, x1 = max(0.0, x0 + shift[0]), min(float(size[0]), x1 + shift[2])
    y0, y1 = max(0.0, y0 + shift[1]), min(float(size[1]), y1 + shift[3])
    return (x0, y0, x1, y1) if x1 - x0 >= 8 and y1 - y0 >= 8 else window


def _recoloured(crop: Image.Image, how: Augmentation, rng: np.random.Generator) -> Image.Image:
    if how == NONE:
        return crop
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.5:
            crop = enhance(crop).enhance(float(rng.uniform(1 - how.colour, 1 + how.colour)))
    if rng.random() < how.grey:
        crop = crop.convert("L").convert("RGB")
    if rng.random() < how.blur:
        small = int(crop.width * rng.uniform(0.3, 0.7))
        crop = crop.resize((small, small), Image.Resampling.BILINEAR).resize(crop.size, Image.Resampling.BILINEAR)
    if rng.random() < how.erase:
        width, height = (int(v) for v in rng.uniform(0.1, 0.35, size=2) * crop.width)
        x, y = int(rng.integers(0, crop.width - width)), int(rng.integers(0, crop.height - height))
        crop.paste(tuple(int(v) for v in rng.integers(0, 256, 3)), (x, y, x + width, y + height))
    return crop

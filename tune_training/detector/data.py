"""Photos with the boxes of the people and heads in them, augmented for training."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from transformers import BaseImageProcessor

from tune_training.detector.coco import AnnotatedPhoto, Boxes, Classes


class DetectionDataset:
    """Augmented photos as the detector takes them.

    An item is `pixel_values` (3, H, W), `class_labels` (n,) and `boxes` (n, 4) as relative centre x, centre y, width, height.
    An item depends on the seed and its index only.
    """

    def __init__(self, photos: Sequence[AnnotatedPhoto], processor: BaseImageProcessor, seed: int) -> None:
        self.photos = photos
        self.processor = processor
        self.seed = seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        photo = self.photos[index]
        rng = np.random.default_rng([self.seed, index])
        with Image.open(photo.path) as file:
            image, boxes, classes = augment(file.convert("RGB"), photo.boxes, photo.classes, rng)
        pixels = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        x0, y0, x1, y1 = torch.from_numpy(boxes).unbind(-1)
        return {
            "pixel_values": pixels,
            "class_labels": torch.from_numpy(classes),
            "boxes": torch.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], dim=-1),
        }


def augment(image: Image.Image, boxes: Boxes, classes: Classes, rng: np.random.Generator) -> tuple[Image.Image, Boxes, Classes]:
    """Random crop (half the time), flip and colour; boxes (n, 4) and classes (n,) of what stays in the photo."""
    if rng.random() < 0.5:
        image, boxes, classes = _random_crop(image, boxes, classes, rng)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        boxes = boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], dtype=np.float32) + np.array([1, 0, 1, 0], dtype=np.float32)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.4:
            image = enhance(image).enhance(rng.uniform(0.6, 1.4))
    if rng.random() < 0.05:
        image = image.convert("L").convert("RGB")
    return image, boxes, classes


def _random_crop(image: Image.Image, boxes: Boxes, classes: Classes, rng: np.random.Generator) -> tuple[Image.Image, Boxes, Classes]:
    """A window of 35 to 100 % of each side; a person or head stays when at least 30 % of the box does.

    A window that leaves less than that of one, but not nothing, would teach the model that a visible person is background, so another
    one is tried.
    """
    for _ in range(10):
        width, height = rng.uniform(0.35, 1.0, size=2)
        x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        window = np.array([x, y, x + width, y + height], dtype=np.float32)
        clipped = np.concatenate([np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])], axis=1)
        inside = _area(clipped) / np.maximum(_area(boxes), 1e-9)
        if np.any((inside > 0.02) & (inside < 0.3)):
            continue
        left, top, right, bottom = (round(float(v)) for v in window * np.array([*image.size, *image.size], dtype=np.float32))
        if right - left < 32 or bottom - top < 32:
            continue
        origin, scale = np.array([x, y, x, y], dtype=np.float32), np.array([width, height, width, height], dtype=np.float32)
        kept = inside >= 0.3
        return image.crop((left, top, right, bottom)), ((clipped[kept] - origin) / scale).clip(0, 1), classes[kept]
    return image, boxes, classes


def _area(boxes: Boxes) -> NDArray[np.float32]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0))
    area: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return area


def collate(items: Sequence[dict[str, torch.Tensor]]) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
    """Stacks the pixels; the labels stay a list because their number differs from photo to photo."""
    pixels = torch.stack([item["pixel_values"] for item in items])
    return pixels, [{"class_labels": item["class_labels"], "boxes": item["boxes"]} for item in items]

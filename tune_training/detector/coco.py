"""Photos with the boxes of the people and heads in them, in the COCO format."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import CLASSES, PERSON
from tune_training.io.errors import InputError

Classes = NDArray[np.int64]  # (n,) indices in `CLASSES`
Boxes = NDArray[np.float32]  # (n, 4) float32, [x0, y0, x1, y1] relative to the image, 0 to 1


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo's file, the boxes of all its people and heads, and the collection that it comes from.

    Attributes:
        classes: index (n,) of each box's class in `CLASSES`.
    """

    path: Path
    boxes: Boxes
    classes: Classes
    source: str

    @property
    def people(self) -> Boxes:
        """The boxes of its people alone."""
        people: Boxes = self.boxes[self.classes == CLASSES.index(PERSON)]
        return people


def read_coco(index: Path) -> list[AnnotatedPhoto]:
    """Reads a COCO file with the category `person` and, if heads are annotated, `head`; file names are relative to its folder.

    Raises:
        InputError: there is no such file, it is none in the COCO format, or it has other categories.
    """
    try:
        document = json.loads(index.read_text())
        images, annotations, categories = (document[part] for part in ("images", "annotations", "categories"))
    except FileNotFoundError:
        raise InputError(f"{index}: there is no such file; annotated photos come in the COCO format, a file for each split") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{index}: it is not in the COCO format, with images, annotations and categories") from None
    names = {category["id"]: category["name"] for category in categories}
    if unknown := sorted(set(names.values()) - set(CLASSES)):
        raise InputError(f"{index}: it has the categories {', '.join(unknown)}; known are {', '.join(CLASSES)}")
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in images}
    classes: dict[int, list[int]] = {image["id"]: [] for image in images}
    for annotation in annotations:
        x, y, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([x, y, x + width, y + height])
        classes[annotation["image_id"]].append(CLASSES.index(names[annotation["category_id"]]))
    photos = []
    for image in images:
        size = np.array([image["width"], image["height"]] * 2, dtype=np.float32)
        relative = np.array(boxes[image["id"]], dtype=np.float32).reshape(-1, 4) / size
        labels = np.array(classes[image["id"]], dtype=np.int64)
        photos.append(AnnotatedPhoto(index.parent / image["file_name"], relative.clip(0, 1), labels, image.get("source", "")))
    return photos

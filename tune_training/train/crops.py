"""Each photo is read and decoded once per node: its two views, at a working size, are kept in a memory-mapped file that all trials share.

A working view is the view that the service would make (`serve_app.vision.cropping`), pixel for pixel, with a border of its surroundings.
Augmentation turns, shifts and widens within the border; without augmentation, training sees exactly what serving will.
"""

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.base import LABELS
from serve_app.settings import get_settings
from serve_app.vision.cropping import CropSpec, Window, resized, view_windows
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from tune_training.data.photo import Photo
from tune_training.data.pixels import read_pixels
from tune_training.io import storage
from tune_training.io.models import decoding

logger = logging.getLogger(__name__)

# How all training crops; it becomes the decision of the weights, and `evaluate` fits the temperature. A head with a tenth of its size
# around it shows the hair; of a person, twice the width shows the upper body large enough.
DECISION = ClassifierDecision(views=("head", "person"), head_margin=0.1, crop_margin=0.0, crop_aspect=2.0)
BORDER = 1 / 8  # of a view's side, on each side, for augmentation
UNUSED_DAYS = 7
READERS = 16  # threads; most of them wait for S3 or the disk


@dataclass(frozen=True)
class Crops:
    """Photos and their crops, in the same order.

    Attributes:
        photos: n of them.
        pixels: (m, views, side, side, 3) uint8, memory-mapped and read-only.
        size: side of the view proper, in the middle of each.
        rows: of `pixels`, (n,): where the photos' crops are; None: in the photos' order.
    """

    photos: Sequence[Photo]
    pixels: NDArray[np.uint8]
    size: int
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index (n,) of each label in `LABELS`."""
        return np.array([LABELS.index(photo.label) for photo in self.photos], dtype=np.int64)

    @property
    def border(self) -> int:
        """Pixels around the view proper, on each side."""
        return (int(self.pixels.shape[2]) - self.size) // 2

    def read(self, indices: NDArray[np.int64]) -> torch.Tensor:
        """Working views (k, views, side, side, 3), uint8."""
        return torch.from_numpy(self.pixels[indices if self.rows is None else self.rows[indices]])

    def read_proper(self, start: int, stop: int) -> torch.Tensor:
        """Crops as the service makes them, of the photos from `start` to `stop`: (k, views * size, size, 3), uint8."""
        inner = slice(self.border, self.border + self.size)
        chosen = slice(start, stop) if self.rows is None else self.rows[start:stop]
        views = self.pixels[chosen, :, inner, inner]
        return torch.from_numpy(views.reshape(len(views), -1, *views.shape[3:]).copy())

    def only(self, indices: NDArray[np.int64]) -> "Crops":
        """Some of the photos, (k,), without a copy of their crops."""
        rows = indices if self.rows is None else self.rows[indices]
        return Crops([self.photos[index] for index in indices.tolist()], self.pixels, self.size, rows)


def working_side(size: int) -> int:
    """Side of the working view of a view of `size` pixels."""
    return size + 2 * round(size * BORDER)


def needed_bytes(photos: int, size: int) -> int:
    """Disk space that the crops of so many photos take."""
    return photos * len(DECISION.views) * working_side(size) ** 2 * 3


def crops_folder() -> Path:
    """Where this node caches the crops."""
    return get_settings().model_cache_dir.expanduser() / "crops"


def training_crops(photos: Sequence[Photo], image_size: int) -> Crops:
    """The views of `photos` at `image_size` pixels, as `DECISION` has them served; see `cached_crops`."""
    spec = CropSpec(DECISION.crop_margin, DECISION.crop_aspect, image_size, views=DECISION.views, head_margin=DECISION.head_margin)
    return cached_crops(photos, spec, crops_folder())


def cached_crops(photos: Sequence[Photo], spec: CropSpec, folder: Path) -> Crops:
    """The crops of `photos`, made by the first process of this node that asks for them; the others wait for it.

    Args:
        photos: what to crop; the cache is keyed by their content, their boxes, their heads, the spec and how photos are decoded.
        spec: how the classifier crops.
        folder: where this node caches the file; files that were not used for a week are removed from it.

    Raises:
        InputError: a photo cannot be read any more, or there is not enough disk space.
    """
    facts = (asdict(spec), BORDER, decoding(), [(photo.sha256, photo.box, photo.head) for photo in photos])
    key = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
    path = folder / f"{key}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            _remove_unused(folder)
            _make(photos, spec, path)
        path.touch()
    return Crops(list(photos), np.load(path, mmap_mode="r"), spec.size)


def _make(photos: Sequence[Photo], spec: CropSpec, path: Path) -> None:
    storage.check_space(str(path.parent), needed_bytes(len(photos), spec.size))
    side = working_side(spec.size)
    partial = path.with_suffix(".partial")
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(photos), len(spec.views), side, side, 3))

    def fill(index: int) -> None:
        pixels[index] = _working_crop(photos[index], spec)

    started = time.monotonic()
    with ThreadPoolExecutor(READERS) as pool:
        for _ in tqdm(pool.map(fill, range(len(photos))), total=len(photos), desc="reading photos", disable=None):
            pass
    pixels.flush()
    os.replace(partial, path)
    logger.info("%d photos read in %.0f s", len(photos), time.monotonic() - started)


def _working_crop(photo: Photo, spec: CropSpec) -> RGB:
    return working_crop(read_pixels(photo), photo.person, spec)


def working_crop(image: RGB, person: DetectedPerson, spec: CropSpec) -> RGB:
    """The views as the service makes them, each with a border of its surroundings; black beyond the photo.

    Shapes (H, W, 3) in, (views, side, side, 3) out, uint8.
    """
    side = working_side(spec.size)
    border = (side - spec.size) // 2
    inner = slice(border, border + spec.size)
    views = []
    for window in view_windows(person, image.shape[1], image.shape[0], spec):
        view = resized(image, window and _widened(window, border / spec.size), side, spec.resample)
        view[inner, inner] = resized(image, window, spec.size, spec.resample)
        views.append(view)
    return np.stack(views)


def _widened(window: Window, share: float) -> Window:
    x0, y0, x1, y1 = window
    around_x, around_y = (x1 - x0) * share, (y1 - y0) * share
    return x0 - around_x, y0 - around_y, x1 + around_x, y1 + around_y


def _remove_unused(folder: Path) -> None:
    for path in folder.glob("*.npy"):
        if time.time() - path.stat().st_mtime > UNUSED_DAYS * 86_400:
            path.unlink(missing_ok=True)

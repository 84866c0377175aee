"""Each photo is read and decoded once per node: its crop, at a working size, is kept in a memory-mapped file that all trials share.

The working crop is the crop that the service would make (`serve_app.vision.cropping`), pixel for pixel, with a border of its surroundings.
Augmentation turns, shifts and widens within the border; without augmentation, training sees exactly what serving will.
"""

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.base import LABELS
from serve_app.settings import get_settings
from serve_app.vision.cropping import CropSpec, crop_person, crop_window
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.images import RGB, Box
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits

logger = logging.getLogger(__name__)

# How all training crops, as the embedded weights are served; `evaluate` fits the temperature.
DECISION = ClassifierDecision(crop_margin=0.0, crop_aspect=1.5)
BORDER = 1 / 8  # of the crop's side, on each side: augmentation shifts edges by up to 12 %
UNUSED_DAYS = 7
READERS = 16  # threads; most of them wait for S3 or the disk


@dataclass(frozen=True)
class Crops:
    """Photos and their crops, in the same order.

    Attributes:
        photos: n of them.
        pixels: (n, side, side, 3) uint8, memory-mapped and read-only.
        size: side of the crop proper, in the middle of each.
    """

    photos: Sequence[Photo]
    pixels: NDArray[np.uint8]
    size: int

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index (n,) of each label in `LABELS`."""
        return np.array([LABELS.index(photo.label) for photo in self.photos], dtype=np.int64)

    @property
    def border(self) -> int:
        """Pixels around the crop proper, on each side."""
        return (int(self.pixels.shape[1]) - self.size) // 2

    def read(self, indices: NDArray[np.int64]) -> torch.Tensor:
        """Working crops (k, side, side, 3), uint8."""
        return torch.from_numpy(self.pixels[indices])

    def read_proper(self, start: int, stop: int) -> torch.Tensor:
        """Crops as the service makes them, of the photos from `start` to `stop`: (k, size, size, 3), uint8."""
        inner = slice(self.border, self.border + self.size)
        return torch.from_numpy(self.pixels[start:stop, inner, inner].copy())


def working_side(size: int) -> int:
    """Side of the working crop of a crop of `size` pixels."""
    return size + 2 * round(size * BORDER)


def needed_bytes(photos: int, size: int) -> int:
    """Disk space that the crops of so many photos take."""
    return photos * working_side(size) ** 2 * 3


def crops_folder() -> Path:
    """Where this node caches the crops."""
    return get_settings().model_cache_dir.expanduser() / "crops"


def training_crops(photos: Sequence[Photo], image_size: int) -> Crops:
    """The crops of `photos` at `image_size` pixels, as `DECISION` has them served; see `cached_crops`."""
    return cached_crops(photos, CropSpec(DECISION.crop_margin, DECISION.crop_aspect, image_size), crops_folder())


def cached_crops(photos: Sequence[Photo], spec: CropSpec, folder: Path) -> Crops:
    """The crops of `photos`, made by the first process of this node that asks for them; the others wait for it.

    Args:
        photos: what to crop; the cache is keyed by their content, their boxes and the spec.
        spec: how the classifier crops.
        folder: where this node caches the file; files that were not used for a week are removed from it.

    Raises:
        InputError: a photo cannot be read any more, or there is not enough disk space.
    """
    key = hashlib.sha256(repr((asdict(spec), [(photo.sha256, photo.box) for photo in photos])).encode()).hexdigest()[:24]
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
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(photos), side, side, 3))
    limits = decode_limits()

    def fill(index: int) -> None:
        pixels[index] = _working_crop(photos[index], spec, limits)

    started = time.monotonic()
    with ThreadPoolExecutor(READERS) as pool:
        for _ in tqdm(pool.map(fill, range(len(photos))), total=len(photos), desc="reading photos", disable=None):
            pass
    pixels.flush()
    os.replace(partial, path)
    logger.info("%d photos read in %.0f s", len(photos), time.monotonic() - started)


def _working_crop(photo: Photo, spec: CropSpec, limits: DecodeLimits) -> RGB:
    try:
        image = decode(storage.read_bytes(photo.uri), limits)
    except (ImageRefused, OSError) as error:
        raise InputError(f"{photo.uri}: the photo can no longer be read ({error}). Run prepare again") from error
    return working_crop(image, photo.box, spec)


def working_crop(image: RGB, box: Box, spec: CropSpec) -> RGB:
    """The crop as the service makes it, with a border of its surroundings; beyond the photo, its edge is repeated.

    Shapes (H, W, 3) in, (side, side, 3) out, uint8.
    """
    side = working_side(spec.size)
    border = (side - spec.size) // 2
    height, width = image.shape[:2]
    x0, y0, x1, y1 = crop_window(box, width, height, spec)
    x0, y0 = min(x0, width - 1.0), min(y0, height - 1.0)  # at least one whole pixel, as `crop_person` has it
    x1, y1 = max(x1, x0 + 1.0), max(y1, y0 + 1.0)
    around_x, around_y = ((end - start) * border / spec.size for start, end in ((x0, x1), (y0, y1)))
    wide = np.array([x0 - around_x, y0 - around_y, x1 + around_x, y1 + around_y])
    missing = np.ceil(np.maximum(0, [-wide[0], -wide[1], wide[2] - width, wide[3] - height])).astype(int)
    padded = np.pad(image, ((missing[1], missing[3]), (missing[0], missing[2]), (0, 0)), mode="edge")
    full = (0.0, 0.0, 1.0, 1.0)
    window = wide + np.array([missing[0], missing[1]] * 2)
    cut = padded[int(window[1]) : int(np.ceil(window[3])), int(window[0]) : int(np.ceil(window[2]))]
    crop = crop_person(cut, full, replace(spec, margin=0.0, aspect=1e6, size=side)).copy()
    inner = slice(border, border + spec.size)
    crop[inner, inner] = crop_person(image, box, spec)
    return crop


def _remove_unused(folder: Path) -> None:
    for path in folder.glob("*.npy"):
        if time.time() - path.stat().st_mtime > UNUSED_DAYS * 86_400:
            path.unlink(missing_ok=True)

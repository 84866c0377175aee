"""Small, distinct photos, and functions for worker processes, which must be able to import them."""

import os
import signal
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from tune_training.io.workers import Work

ROW = pa.schema([("name", pa.string()), ("process", pa.int64())])


@cache
def blots(seed: int, size: tuple[int, int] = (96, 128)) -> Image.Image:
    """An image of soft blots of colour; each seed looks entirely different."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def write_photo(path: Path, photo: Image.Image | bytes) -> None:
    """Writes an image, or any bytes, and creates its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(photo, bytes):
        path.write_bytes(photo)
    else:
        photo.save(path, quality=90)


def load_names_work() -> Work:
    """Returns work that yields each name with its process id; the name `deadly` kills the process, `faulty` raises ValueError."""

    def work(names: Sequence[str]) -> pa.Table:
        if "deadly" in names:
            os.kill(os.getpid(), signal.SIGKILL)
        if "faulty" in names:
            raise ValueError("faulty")
        return pa.Table.from_pylist([{"name": name, "process": os.getpid()} for name in names], ROW)

    return work


class CountedLoad:
    """`load_names_work`; counts how often it is sent to a process."""

    sent = 0

    def __call__(self) -> Work:
        return load_names_work()

    def __getstate__(self) -> dict[str, str]:
        CountedLoad.sent += 1
        return {}


def load_nothing() -> Work:
    """Fails as if a model could not be loaded."""
    raise FileNotFoundError("no model")

"""The input: photographs of nobody, one person and several people, always the same in the same order."""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.research_archives import MissingPhotos, research_archive

PER_KIND = 16
KINDS = ("nobody", "one person", "several people")


@dataclass(frozen=True)
class PhotoSet:
    """Encoded photos and where they come from."""

    source: str
    photos: Sequence[bytes]

    @property
    def mean_kilobytes(self) -> float:
        """Mean size, kB."""
        return sum(map(len, self.photos)) / len(self.photos) / 1000


def benchmark_photos() -> PhotoSet:
    """48 photos of person.tar's test split, as they are (JPEG, long side 384 pixels); without it, scikit-image's, which are few."""
    try:
        archive = research_archive("person")
    except MissingPhotos:
        return PhotoSet("scikit-image", _photos_of_scikit_image())
    with tarfile.open(archive) as tar:
        document = json.load(_member(tar, "test.json"))
        people = Counter(annotation["image_id"] for annotation in document["annotations"])
        by_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for image in sorted(document["images"], key=lambda image: str(image["file_name"])):
            by_kind[KINDS[min(people[image["id"]], 2)]].append(image["file_name"])
        # Interleaved, so that any run of requests has all three kinds.
        names = [name for each in zip(*(names[:PER_KIND] for names in by_kind.values()), strict=True) for name in each]
        return PhotoSet("person.tar, test split", [_member(tar, name).read() for name in names])


def _member(tar: tarfile.TarFile, name: str) -> io.BytesIO:
    with tar.extractfile(name) or io.BytesIO() as file:
        return io.BytesIO(file.read())


def _photos_of_scikit_image() -> list[bytes]:
    astronaut = skimage.data.astronaut()
    several = np.concatenate([astronaut, astronaut[:, ::-1]], axis=1)
    return [_jpeg(pixels) for pixels in (skimage.data.chelsea(), astronaut, several, skimage.data.coffee())]


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()

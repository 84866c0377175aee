"""Photos, in whatever form a program has them."""

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

NAME = "photo"  # of one without
JPEG_QUALITY = 95


@runtime_checkable
class PillowImage(Protocol):
    """A Pillow image; Pillow itself is not needed."""

    def convert(self, mode: str) -> "PillowImage":
        """The image with other channels."""
        ...

    def save(self, fp: BytesIO, format: str, *, quality: int) -> None:  # noqa: A002 - Pillow's name
        """Writes the image."""
        ...


Photo = str | os.PathLike[str] | bytes | BinaryIO | PillowImage
"""A path, the bytes of a file, an open file, or a Pillow image."""


def is_read_once(photo: Photo) -> bool:
    """Whether a second `read` finds nothing more: of an open file."""
    return not isinstance(photo, (bytes, str, os.PathLike, PillowImage))


def read(photo: Photo) -> tuple[str, bytes]:
    """The name and the bytes of a photo. A Pillow image becomes a JPEG, which is small and has what the models look at.

    Raises:
        OSError: it cannot be read.
    """
    match photo:
        case bytes():
            return NAME, photo
        case str() | os.PathLike():
            return Path(photo).name, Path(photo).read_bytes()
        case PillowImage():
            content = BytesIO()
            photo.convert("RGB").save(content, "JPEG", quality=JPEG_QUALITY)
            return f"{NAME}.jpg", content.getvalue()
        case _:
            return os.path.basename(str(getattr(photo, "name", NAME))), photo.read()

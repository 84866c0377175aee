"""Finds photos that are licensed for research and cannot be shipped: NAME.tar in GENDER_DATA_DIR."""

import os
from pathlib import Path

BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


class MissingPhotos(Exception):
    """There is no such archive."""


def research_archive(name: str) -> Path:
    """The file NAME.tar.

    Raises:
        MissingPhotos: GENDER_DATA_DIR holds no NAME.tar.
    """
    archive = Path(os.environ.get("GENDER_DATA_DIR") or BESIDE_THE_CHECKOUT) / f"{name}.tar"
    if not archive.is_file():
        raise MissingPhotos(f"GENDER_DATA_DIR holds no {archive.name}")
    return archive

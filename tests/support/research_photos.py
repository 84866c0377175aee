"""Photos that may be used for research but not shipped: NAME.tar in GENDER_DATA_DIR, unpacked outside the checkout."""

import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "data"
CACHE = Path("~/.cache/gender-presentation/test-data")


class MissingPhotos(Exception):
    """There is no such archive."""


def research_photos(name: str, cache: Path = CACHE) -> Path:
    """The folder with the content of NAME.tar; unpacked by the first who asks, of however many processes.

    Raises:
        MissingPhotos: GENDER_DATA_DIR holds no NAME.tar.
    """
    archive = Path(os.environ.get("GENDER_DATA_DIR") or BESIDE_THE_CHECKOUT) / f"{name}.tar"
    if not archive.is_file():
        raise MissingPhotos(f"GENDER_DATA_DIR holds no {archive.name}")
    stat = archive.stat()
    folder = cache.expanduser() / f"{name}-{stat.st_size}-{stat.st_mtime_ns}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as scratch, tarfile.open(archive) as tar:
                tar.extractall(Path(scratch) / "unpacked", filter="data")
                (Path(scratch) / "unpacked").rename(folder)
    return folder

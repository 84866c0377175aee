"""Photos licensed for research but not for redistribution: NAME.tar in GENDER_DATA_DIR, unpacked outside the checkout."""

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from benchmarks.research_archives import MissingPhotos, research_archive

__all__ = ["MissingPhotos", "research_photos"]

CACHE = Path("~/.cache/gender-presentation/test-data")


def research_photos(name: str, cache: Path = CACHE) -> Path:
    """The folder with the content of NAME.tar; the first of any number of processes unpacks it.

    Raises:
        MissingPhotos: GENDER_DATA_DIR holds no NAME.tar.
    """
    archive = research_archive(name)
    stat = archive.stat()
    folder = cache.expanduser() / f"{name}-{stat.st_size}-{stat.st_mtime_ns}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as scratch, tarfile.open(archive) as tar:
                tar.extractall(Path(scratch) / "unpacked", filter="data")
                (Path(scratch) / "unpacked").rename(folder)
    return folder

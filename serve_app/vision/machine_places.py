"""Places for work of which a machine can do little at a time, shared by the processes of its user: the kernel frees those of dead ones."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class MachinePlaces:
    """A number of places, each a file that is locked (flock) while somebody has it.

    Args:
        folder: of these files; where they cannot be made, everybody has a place.
        count: of places.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._paths = [folder / f"place-{number}" for number in range(count)]

    @classmethod
    def for_large_photos(cls) -> Self:
        """One for two cores: with a large photo in every replica of a small machine, nothing would be left for the small ones."""
        folder = Path(tempfile.gettempdir()) / f"gender-presentation-{os.getuid()}"
        return cls(folder, max(1, (os.cpu_count() or 1) // 2))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Waits for a place, and has it until the block is left."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # somebody else's folder, or a disk that is full
                self._take(stack)
            yield

    def _take(self, stack: contextlib.ExitStack) -> None:
        files = []
        for path in self._paths:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            stack.callback(os.close, files[-1])
        for file in files:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
        fcntl.flock(files[os.getpid() % len(files)], fcntl.LOCK_EX)

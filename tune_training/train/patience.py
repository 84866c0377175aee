"""Which epoch was the best, and whether it is so long ago that training should stop. Kept in a file, for runs that are resumed."""

import json
import os
from pathlib import Path

BEST_FILE = "best_epoch.json"


class Patience:
    """The best epoch of a run.

    Args:
        run_dir: folder of the file.
        epochs: how many may follow the best one; 0: as many as there are.
    """

    def __init__(self, run_dir: Path, epochs: int) -> None:
        self._path = run_dir / BEST_FILE
        self._epochs = epochs
        self._last = 0

    def is_best(self, epoch: int, quality: tuple[float, ...]) -> bool:
        """Whether the epoch is better than all before it; larger qualities are. A resumed run may ask again about its last one."""
        self._last = epoch
        known = self._read()
        if known and known[0] < epoch and tuple(known[1]) >= quality:
            return False
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps([epoch, quality]), encoding="utf-8")
        os.replace(partial, self._path)
        return True

    def is_over(self) -> bool:
        """Whether too many epochs have followed the best one."""
        known = self._read()
        return bool(self._epochs and known and self._last - known[0] >= self._epochs)

    def _read(self) -> tuple[int, list[float]] | None:
        return tuple(json.loads(self._path.read_text(encoding="utf-8"))) if self._path.exists() else None

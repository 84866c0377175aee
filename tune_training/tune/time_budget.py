"""The seconds that a search may take and has taken, stored beside the search: a call that resumes it has the rest."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from ray.tune import Stopper

from tune_training.io import storage
from tune_training.io.errors import InputError

logger = logging.getLogger(__name__)

SAVE_S = 5.0  # a kill loses at most this much


def set_limit(uri: str, seconds: float) -> None:
    """Allows so many seconds in all; 0: no limit. The time spent so far still counts."""
    storage.write_bytes(uri, json.dumps({"limit_s": seconds, "spent_s": _read(uri)["spent_s"]}).encode())


def _read(uri: str) -> dict[str, float]:
    known: dict[str, float] = json.loads(storage.read_bytes(uri)) if storage.exists(uri) else {"limit_s": 0.0, "spent_s": 0.0}
    return known


class TimeBudget(Stopper):
    """Stops all trials when the limit of `set_limit` is spent. Ray Tune pickles it with the search; it reads the numbers when it starts."""

    def __init__(self, uri: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._uri = uri
        self._clock = clock
        self._last: float | None = None
        self._limit = self._spent = self._saved = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stops no single trial."""
        return False

    def stop_all(self) -> bool:
        """Called every second or so: counts the time, and returns whether the limit is spent."""
        now = self._clock()
        if self._last is None:
            known = _read(self._uri)
            self._limit, self._spent = known["limit_s"], known["spent_s"]
            self._saved = self._spent
        else:
            self._spent += now - self._last
        self._last = now
        over = 0 < self._limit <= self._spent
        if self._spent - self._saved >= SAVE_S or (over and self._spent > self._saved):
            try:
                storage.write_bytes(self._uri, json.dumps({"limit_s": self._limit, "spent_s": self._spent}).encode())
            except (OSError, InputError) as error:  # no reason to end hours of search
                logger.warning("the time spent cannot be kept: %s", error)
            self._saved = self._spent
        return over

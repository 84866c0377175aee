"""Tells a tracker of a search while it runs. Whatever the tracker does, the search goes on as if it were not there."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ray.air.constants import TRAINING_ITERATION
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.logger import LoggerCallback
from ray.tune.result import TIME_TOTAL_S

from tune_training.io import storage
from tune_training.train.fine_tune import EPOCH
from tune_training.train.metric import METRICS
from tune_training.tune.tracker import chosen, in_a_line, logger_of

logger = logging.getLogger(__name__)

TRACKER_FILE = "tracker.json"
END_S = 60.0  # that a search waits for its tracker in the end
# Of what Ray knows of a trial: no host names, addresses and process ids.
SHOWN = (EPOCH, *METRICS, "training_loss", "images_per_second", TIME_TOTAL_S, TRAINING_ITERATION)


class Tracking(Callback):
    """Hands what happens to the tracker's callback, in a thread.

    Ray Tune pickles it with the search, so it has neither library nor choice in it; it looks for the choice when the search starts.

    Args:
        run_dir: of the search, with `TRACKER_FILE`.
        part: of the search, a folder in `run_dir`.
        make: makes the tracker's callback.
        end_s: seconds to wait for it in the end.
    """

    def __init__(self, run_dir: str, part: str, make: Callable[..., LoggerCallback] = logger_of, end_s: float = END_S) -> None:
        self._run_dir = run_dir
        self._part = part
        self._make = make
        self._end_s = end_s
        self._thread: _Thread | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_thread": None}

    def setup(self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any) -> None:
        """Starts the thread, if there is a tracker."""
        tracker = chosen(storage.join(self._run_dir, TRACKER_FILE))
        if tracker:
            self._thread = _Thread(tracker, lambda: self._make(tracker, self._run_dir, self._part))

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Also called when a trial is tried again."""
        self._tell(lambda tracker: tracker.log_trial_start(trial))

    def on_trial_result(self, iteration: int, trials: list[Trial], trial: Trial, result: Mapping[str, Any], **info: Any) -> None:
        """An epoch."""
        shown = {name: result[name] for name in SHOWN if name in result}
        self._tell(lambda tracker: tracker.log_trial_result(iteration, trial, shown))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Also called for a trial that was stopped early."""
        self._tell(lambda tracker: tracker.log_trial_end(trial, failed=False))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """After the last try."""
        self._tell(lambda tracker: tracker.log_trial_end(trial, failed=True))

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Waits for the tracker, but not for ever."""
        self._tell(lambda tracker: tracker.on_experiment_end(trials))
        if self._thread:
            self._thread.end(self._end_s)
            self._thread = None

    def _tell(self, what: Callable[[LoggerCallback], None]) -> None:
        if self._thread:
            self._thread.tell(what)


class _Thread:
    """Tells a tracker one thing after the other; what it does not take is lost, said once and counted."""

    def __init__(self, name: str, make: Callable[[], LoggerCallback]) -> None:
        self._name = name
        self._make = make
        self._waiting: queue.SimpleQueue[Callable[[LoggerCallback], None] | None] = queue.SimpleQueue()
        self._lost = 0
        self._tracker: LoggerCallback | None = None
        self._thread = threading.Thread(target=self._run, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def tell(self, what: Callable[[LoggerCallback], None]) -> None:
        """Returns at once."""
        self._waiting.put(what)

    def end(self, seconds: float) -> None:
        """Waits until everything is told, so long at most."""
        self._waiting.put(None)
        self._thread.join(seconds)
        waiting = self._waiting.qsize() if self._thread.is_alive() else 0
        if self._lost or waiting:
            logger.warning("%s lacks %d reports of this search; trials.csv and TensorBoard have all", self._name, self._lost + waiting)

    def _run(self) -> None:
        while (what := self._waiting.get()) is not None:
            try:
                if self._tracker is None:
                    made = self._make()
                    made.setup()
                    self._tracker = made
                what(self._tracker)
            except Exception as error:
                self._lost += 1
                if self._lost == 1:
                    logger.warning("%s does not take what it is told, and the search goes on without it: %s", self._name, in_a_line(error))

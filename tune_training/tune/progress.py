"""How a search gets on, in its log: for `ray job submit` and other places without a terminal.

In a terminal Ray Tune draws its own table. Elsewhere it would print half a page for each trial that starts or ends, to a buffered stream.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_training.train.fine_tune import EPOCH

logger = logging.getLogger(__name__)

LINE_S = 10.0  # between two lines of a trial
TABLE_S = 60.0  # between two tables


class Progress(Callback):
    """Logs a line for the epochs of each trial, not more often than every `LINE_S`, and a table of all trials when one has ended.

    Args:
        metric: the one that decides.
        varied: names of the hyper-parameters in the table.
        clock: seconds.
    """

    def __init__(self, metric: str, varied: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._metric = metric
        self._varied = list(varied)
        self._clock = clock
        self._told: dict[str, float] = {}
        self._table_told = -TABLE_S

    def on_trial_result(self, iteration: int, trials: list[Trial], trial: Trial, result: Mapping[str, Any], **info: Any) -> None:
        """A line."""
        now = self._clock()
        if now - self._told.get(trial.trial_id, -LINE_S) < LINE_S:
            return
        self._told[trial.trial_id] = now
        shown = {name: result[name] for name in dict.fromkeys((self._metric, "loss", "images_per_second"))}
        logger.info("%s: epoch %d, %s", trial, result[EPOCH], ", ".join(f"{name} {value:.4g}" for name, value in shown.items()))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The table; also of a trial that was stopped early."""
        if self._clock() - self._table_told >= TABLE_S:
            self._tell(trials, trial)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """The table at the end."""
        self._tell(trials)

    def _tell(self, trials: Sequence[Trial], ended: Trial | None = None) -> None:
        self._table_told = self._clock()
        rows = [
            {
                "trial": str(trial),
                "status": "terminated" if trial is ended else trial.status.lower(),  # Tune calls before it says so
                **{name: (trial.last_result or {}).get(name, "") for name in (EPOCH, self._metric)},
                **{name: trial.config.get(name, "") for name in self._varied},
            }
            for trial in trials
        ]
        logger.info("trials:\n%s", pd.DataFrame(rows).to_string(index=False, float_format="{:.4g}".format))

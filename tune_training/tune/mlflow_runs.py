"""The runs of a search in MLflow."""

import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric
from ray.air.constants import TRAINING_ITERATION
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.experiment import Trial

from tune_training.train.fine_tune import EPOCH

SEARCH, PART, ID = "search", "part", "search_id"  # tags


class MLflowRuns(MLflowLoggerCallback):
    """Ray's callback; a search that is resumed goes on with its runs, where Ray would begin others, and each epoch is logged once."""

    def __init__(self, project: str, run_dir: str, part: str) -> None:
        self._id = hashlib.sha256(f"{run_dir}/{part}".encode()).hexdigest()[:16]  # a path might need quotes in a filter
        tags = {SEARCH: run_dir, PART: part, ID: self._id}
        super().__init__(experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME") or project, tags=tags)
        self._epochs: dict[str, int] = {}  # that are logged, by run

    def log_trial_start(self, trial: Trial) -> None:
        """Finds the trial's run, or begins one."""
        if trial not in self._trial_runs and (run := self._known(str(trial))):
            MlflowClient().update_run(run.info.run_id, status="RUNNING")
            self._trial_runs[trial] = run.info.run_id
            self._epochs[run.info.run_id] = int(run.data.metrics.get(EPOCH, 0))
        super().log_trial_start(trial)

    def _known(self, name: str) -> Any:
        wanted = f"tags.{ID} = '{self._id}' and tags.trial_name = '{name}'"
        return next(iter(MlflowClient().search_runs([self.mlflow_util.experiment_id], wanted, max_results=1)), None)

    def log_trial_result(self, iteration: int, trial: Trial, result: Mapping[str, Any]) -> None:
        """In one request, where Ray makes two for each number, and begins further runs where the first is not answered."""
        if trial not in self._trial_runs:
            self.log_trial_start(trial)
        run = self._trial_runs[trial]
        if result[EPOCH] <= self._epochs.get(run, 0):
            return  # a trial that is resumed reports all its epochs again
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, result[TRAINING_ITERATION]) for name, value in result.items()]
        MlflowClient().log_batch(run, metrics)
        self._epochs[run] = result[EPOCH]

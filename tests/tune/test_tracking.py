"""MLflow's own server is told of a search."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from ray.tune.logger import LoggerCallback

from tests.unit.tune_training.tune.test_progress import FakeTrial
from tune_training.io.errors import InputError
from tune_training.tune.mlflow_runs import PART, SEARCH, MLflowRuns
from tune_training.tune.result import TuneResult
from tune_training.tune.tracker import Tracker, check_reachable, choose
from tune_training.tune.tracking import TRACKER_FILE, Tracking

NOBODY = "http://ann:secret@127.0.0.1:9"  # nothing listens there


def runs(client: MlflowClient, wanted: str) -> list[Any]:
    experiment = client.get_experiment_by_name("tests")
    assert experiment
    return list(client.search_runs([experiment.experiment_id], wanted))


@pytest.fixture
def client(tracker: str) -> MlflowClient:
    return MlflowClient(tracker)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_each_trial_is_a_run_with_its_epochs(searched: tuple[Path, TuneResult], client: MlflowClient) -> None:
    folder, result = searched
    found = {run.info.run_name: run for run in runs(client, f"tags.{SEARCH} = '{folder}' and tags.{PART} = 'search'")}
    table = pd.read_csv(folder / "trials.csv")
    assert found.keys() == set(table["name"]) and len(found) == result.trials
    for name, rows in table.groupby("name"):
        run = found[name]
        assert run.info.status == "FINISHED"
        assert set(run.data.params) == {"learning_rate", "augmentation", "mixup"}
        told = client.get_metric_history(run.info.run_id, "balanced_accuracy")
        assert [each.step for each in told] == rows["epoch"].tolist()
        assert [each.value for each in told] == pytest.approx(rows["balanced_accuracy"].tolist())
        assert not {"pid", "hostname", "node_ip"} & set(run.data.metrics)


def test_so_is_the_retraining(searched: tuple[Path, TuneResult], client: MlflowClient) -> None:
    folder, result = searched
    (run,) = runs(client, f"tags.{SEARCH} = '{folder}' and tags.{PART} = 'retrain'")
    assert result.retrained
    assert run.data.metrics["epoch"] == result.retrained.epochs_run


def test_a_search_that_is_resumed_goes_on_with_its_runs(client: MlflowClient) -> None:
    """Its trials report all their epochs again."""
    trial: Any = FakeTrial("00000")
    for last in (2, 3):
        tracked: LoggerCallback = MLflowRuns("project", "/runs/it's mine", "resumed")
        tracked.setup()
        tracked.log_trial_start(trial)
        for epoch in range(1, last + 1):
            tracked.log_trial_result(epoch, trial, {"epoch": epoch, "loss": 1 / epoch, "training_iteration": epoch})
        if last == 3:
            tracked.log_trial_end(trial)
    (run,) = runs(client, f"tags.{PART} = 'resumed'")
    assert run.info.status == "FINISHED"
    assert [each.step for each in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]


def test_a_server_that_is_not_there_is_told_before_the_search(nobody: None) -> None:
    with pytest.raises(InputError) as told:
        check_reachable(Tracker.MLFLOW)
    line = str(told.value)
    assert line.startswith("--tracker mlflow: it cannot be used (") and "127.0.0.1" in line
    assert line.endswith("See MLFLOW_TRACKING_URI, or leave the option out")
    assert "secret" not in line and "\n" not in line


def test_a_server_that_goes_away_costs_the_search_nothing(nobody: None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    choose(str(tmp_path / TRACKER_FILE), Tracker.MLFLOW)
    tracking, trial = Tracking(str(tmp_path), "search"), FakeTrial("00000")
    told: Any = [trial]
    tracking.setup()
    tracking.on_trial_start(1, told, told[0])
    tracking.on_trial_result(1, told, told[0], {"epoch": 1, "loss": 0.5, "training_iteration": 1})
    tracking.on_experiment_end(told)
    assert "the search goes on without it" in caplog.text
    assert "secret" not in caplog.text

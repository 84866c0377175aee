"""A tracker hears of all trials, and whatever it does, nothing happens to the search."""

import logging
import pickle
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ray.tune.logger import LoggerCallback

from tests.unit.tune_training.tune.test_progress import FakeTrial
from tune_training.tune.tracker import Tracker, choose
from tune_training.tune.tracking import TRACKER_FILE, Tracking

RESULT = {"epoch": 1, "balanced_accuracy": 0.8, "loss": 0.5, "training_iteration": 1, "hostname": "ann-laptop", "node_ip": "10.0.0.1"}
TRIAL: Any = FakeTrial("a_00000")


class Recorder(LoggerCallback):
    """A tracker's callback that keeps what it hears, after `first`."""

    def __init__(self, first: Callable[[], None] = lambda: None) -> None:
        self.heard: list[Any] = []
        self.first = first

    def log_trial_start(self, trial: Any) -> None:
        self.first()
        self.heard.append(f"start {trial}")

    def log_trial_result(self, iteration: int, trial: Any, result: Mapping[str, Any]) -> None:
        self.first()
        self.heard.append(result)

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        self.first()
        self.heard.append("failed" if failed else "ended")

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        self.heard.append("over")


def report(tracking: Tracking) -> None:
    tracking.setup()
    tracking.on_trial_start(1, [TRIAL], TRIAL)
    tracking.on_trial_result(1, [TRIAL], TRIAL, RESULT)
    tracking.on_trial_complete(1, [TRIAL], TRIAL)
    tracking.on_trial_error(1, [TRIAL], TRIAL)
    tracking.on_experiment_end([TRIAL])


@pytest.fixture
def run_dir(tmp_path: Path) -> str:
    choose(str(tmp_path / TRACKER_FILE), Tracker.MLFLOW)
    return str(tmp_path)


def test_a_tracker_hears_of_each_trial_and_of_no_host(run_dir: str) -> None:
    recorder = Recorder()
    report(Tracking(run_dir, "search", lambda *_: recorder))
    shown = {name: RESULT[name] for name in ("epoch", "balanced_accuracy", "loss", "training_iteration")}
    assert recorder.heard == ["start trial_a_00000", shown, "ended", "failed", "over"]


def test_a_tracker_that_fails_is_told_once_and_counted(run_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ConnectionError("the server\nis gone")

    recorder = Recorder(fail)
    report(Tracking(run_dir, "search", lambda *_: recorder))
    assert recorder.heard == ["over"]
    assert [each.getMessage() for each in caplog.records] == [
        "mlflow does not take what it is told, and the search goes on without it: the server is gone",
        "mlflow lacks 4 reports of this search; trials.csv and TensorBoard have all",
    ]


def test_a_tracker_that_is_back_hears_the_rest(run_dir: str) -> None:
    recorder, tries = Recorder(), iter([ConnectionError("not yet"), None])

    def make(*_: object) -> LoggerCallback:
        if error := next(tries):
            raise error
        return recorder

    report(Tracking(run_dir, "search", make))
    assert recorder.heard[-3:] == ["ended", "failed", "over"]


def test_a_tracker_that_hangs_holds_up_nothing(run_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    released = threading.Event()

    def hang() -> None:
        released.wait()

    report(Tracking(run_dir, "search", lambda *_: Recorder(hang), end_s=0.0))
    released.set()
    assert "reports of this search; trials.csv and TensorBoard have all" in caplog.text


def test_it_is_pickled_with_the_search_and_asks_again_which_tracker(run_dir: str) -> None:
    tracking = Tracking(run_dir, "search")
    tracking._make = named
    tracking.setup()
    choose(f"{run_dir}/{TRACKER_FILE}", None)
    resumed = pickle.loads(pickle.dumps(tracking))
    tracking.on_experiment_end([])
    made.clear()
    report(resumed)
    assert made == []
    choose(f"{run_dir}/{TRACKER_FILE}", Tracker.WANDB)
    report(resumed)
    assert made == [Tracker.WANDB]


made: list[Tracker] = []


def named(tracker: Tracker, *_: object) -> LoggerCallback:
    made.append(tracker)
    return Recorder()

"""What is said of a tracker before the search; with MLflow's own server, see tests/tune/test_tracking.py."""

import importlib.util
from pathlib import Path

import pytest

from tune_training.io.errors import InputError
from tune_training.tune.options import TuneOptions
from tune_training.tune.tracker import Tracker, check_reachable, choose, chosen, in_a_line


@pytest.mark.parametrize(("tracker", "package"), [(Tracker.MLFLOW, "mlflow-skinny"), (Tracker.WANDB, "wandb")])
def test_a_library_that_is_missing_is_told_with_what_installs_it(tracker: Tracker, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=f"--tracker {tracker} needs a library that is not installed: .venv/bin/pip install {package}$"):
        TuneOptions(tracker=tracker)


def test_without_a_tracker_nothing_is_asked() -> None:
    check_reachable(TuneOptions().tracker)


def test_no_message_has_what_the_variables_of_a_tracker_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@tracker.example")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    error = ValueError("cannot read\nhttps://ann:secret@tracker.example/api with 0123456789, after 1 try")
    assert in_a_line(error) == "cannot read $MLFLOW_TRACKING_URI/api with $WANDB_API_KEY, after 1 try"


def test_an_error_without_a_message_has_its_name() -> None:
    assert in_a_line(TimeoutError()) == "TimeoutError"


def test_a_search_that_is_resumed_may_have_another_tracker(tmp_path: Path) -> None:
    uri = str(tmp_path / "tracker.json")
    assert chosen(uri) is None
    for tracker in (Tracker.MLFLOW, Tracker.WANDB, None):
        choose(uri, tracker)
        assert chosen(uri) is tracker

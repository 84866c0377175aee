"""A trial's folder records what is valid, keeps nothing else, and is the same on disk and in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.s3 import S3Server, s3_server
from tune_training.io.storage import find_files
from tune_training.train.fine_tune import CHECKPOINT_FOLDER
from tune_training.train.loop import STATE_FILE
from tune_training.tune.trial_folder import TrialRecord, end_trial, read_state, read_trial, write_epoch

CONFIG = {"learning_rate": 0.1, "epochs": 9}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="runs")
        yield server


@pytest.fixture(params=["folder", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "trial")
    request.getfixturevalue("s3")
    return "s3://runs/search/trial"


def store(uri: str, scratch: Path, epochs: int, best: int) -> TrialRecord:
    run_dir = scratch / f"run-{epochs}"
    (run_dir / CHECKPOINT_FOLDER).mkdir(parents=True)
    (run_dir / STATE_FILE).write_text(f"state {epochs}")
    (run_dir / CHECKPOINT_FOLDER / "config.json").write_text(f"model {epochs}")
    record = TrialRecord(CONFIG, [{"epoch": number + 1, "loss": 0.5} for number in range(epochs)], best)
    write_epoch(uri, record, run_dir)
    return record


def names(uri: str) -> list[str]:
    return [file.name for file in find_files(uri)]


def test_before_the_first_epoch_there_is_no_record(uri: str) -> None:
    assert read_trial(uri) is None
    end_trial(uri)
    assert names(uri) == []


def test_the_last_state_and_the_best_model_are_kept(uri: str, tmp_path: Path) -> None:
    store(uri, tmp_path, 1, best=1)
    assert names(uri) == ["model-1/config.json", "state-1.pt", "trial.json"]
    store(uri, tmp_path, 2, best=2)
    record = store(uri, tmp_path, 3, best=2)
    assert names(uri) == ["model-2/config.json", "state-3.pt", "trial.json"]
    assert read_trial(uri) == record
    read_state(uri, record, tmp_path / "resumed")
    assert (tmp_path / "resumed" / STATE_FILE).read_text() == "state 3"


def test_an_ended_trial_keeps_its_model_only(uri: str, tmp_path: Path) -> None:
    store(uri, tmp_path, 1, best=1)
    for _ in range(2):
        end_trial(uri)
    assert names(uri) == ["model-1/config.json", "trial.json"]
    record = read_trial(uri)
    assert record
    assert record.ended


def test_what_a_kill_left_of_a_state_goes(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / ".state-1.pt.partial").write_text("half a sta")
    store(str(folder), tmp_path, 1, best=1)
    assert {path.name for path in folder.iterdir()} == {"model-1", "state-1.pt", "trial.json"}

"""Whatever was cut off by a kill, a trial goes on from its newest whole checkpoint and tells of all that Tune does not know."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.fs as pafs
import pytest
from ray.tune import Checkpoint

from tests.support.s3 import S3Server, s3_server
from tune_training.train.loop import STATE_FILE
from tune_training.tune.stored_epochs import left_where_it_is, mark_ended, read_epoch, resume, stand_at, stand_in_for_dropped, write_epoch

CONFIG = {"learning_rate": 0.1, "epochs": 9}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="runs")
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[pafs.FileSystem, str]:
    if request.param == "folder":
        return pafs.LocalFileSystem(), str(tmp_path / "trial")
    server: S3Server = request.getfixturevalue("s3")
    filesystem, path = pafs.FileSystem.from_uri(f"s3://runs/trial?endpoint_override={server.url}")
    return filesystem, path


def history(epochs: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"epoch": number + 1, "loss": 1 / (number + 1), "folder": f"checkpoint_{number + first:06d}"} for number in range(epochs)]


class Trial:
    """A trial's folder in storage, as Ray's `StorageContext` has it."""

    def __init__(self, place: tuple[pafs.FileSystem, str], scratch: Path) -> None:
        self.storage_filesystem, self.trial_fs_path = place
        self.current_checkpoint_index = -1
        self._scratch = scratch

    def store(self, epochs: int, config: Mapping[str, Any] = CONFIG, index: int | None = None) -> Checkpoint:
        folder = self._scratch / f"{epochs} {index}"
        (folder / "model").mkdir(parents=True, exist_ok=True)
        (folder / STATE_FILE).write_bytes(b"state" * epochs)
        (folder / "model" / "weights").write_bytes(b"weights")
        write_epoch(folder, config, history(epochs))
        path = f"{self.trial_fs_path}/checkpoint_{epochs - 1 if index is None else index:06d}"
        self.storage_filesystem.create_dir(path)
        pafs.copy_files(str(folder), path, destination_filesystem=self.storage_filesystem)
        return Checkpoint(path, self.storage_filesystem)

    def cut_off(self, checkpoint: Checkpoint, name: str) -> None:
        with self.storage_filesystem.open_output_stream(f"{checkpoint.path}/{name}") as file:
            file.write(b"{")

    def folders(self) -> list[str]:
        return sorted(info.base_name for info in self.storage_filesystem.get_file_info(pafs.FileSelector(self.trial_fs_path)))


@pytest.fixture
def trial(place: tuple[pafs.FileSystem, str], tmp_path: Path) -> Trial:
    return Trial(place, tmp_path / "scratch")


def test_a_new_trial_starts_at_the_beginning(trial: Trial) -> None:
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, None)
    assert (resumed.newest, resumed.untold) == (None, [])


def test_what_tune_was_told_last_is_gone_on_from(trial: Trial) -> None:
    trial.store(1)
    told = trial.store(2)
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, told)
    assert resumed.newest is not None
    assert (resumed.newest.number, resumed.untold) == (2, [])


@pytest.mark.parametrize("told", [1, 0])
def test_newer_epochs_are_told_with_what_is_kept_of_them(trial: Trial, told: int) -> None:
    known = trial.store(1) if told else None
    trial.store(3)
    trial.store(4)
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, known)
    assert resumed.newest is not None
    assert resumed.newest.number == 4
    assert [(record["epoch"], bool(kept)) for record, kept in resumed.untold] == [(1, False), (2, False), (3, True), (4, True)][told:]


@pytest.mark.parametrize("name", [STATE_FILE, "model/weights", "epoch.json"])
def test_a_checkpoint_that_was_cut_off_is_none(trial: Trial, name: str) -> None:
    told = trial.store(1)
    trial.cut_off(trial.store(2), name)
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, told)
    assert resumed.newest is not None
    assert (resumed.newest.number, resumed.untold) == (1, [])
    stand_at(trial, resumed.newest)
    assert trial.folders() == ["checkpoint_000000"]
    assert trial.current_checkpoint_index == 0


def test_one_that_tune_has_dropped_for_a_better_one_is_not_missed(trial: Trial) -> None:
    told = trial.store(2)
    trial.storage_filesystem.delete_dir(told.path)
    trial.store(3)
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, told)
    assert [record["epoch"] for record, _ in resumed.untold] == [3]


def test_the_only_one_missing_is_named(trial: Trial) -> None:
    told = trial.store(2)
    trial.storage_filesystem.delete_dir(told.path)
    with pytest.raises(FileNotFoundError, match="checkpoint_000001 is gone"):
        resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, told)


def test_after_an_exchange_of_numbers_the_trials_own_older_epochs_do_not_count(trial: Trial, place: Any, tmp_path: Path) -> None:
    trial.store(5)
    donor = Trial((place[0], f"{place[1]}_donor"), tmp_path / "donor").store(4, {**CONFIG, "learning_rate": 0.3})
    changed = {**CONFIG, "learning_rate": 0.36}
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, changed, donor)
    assert resumed.newest is not None
    assert (resumed.newest.number, resumed.newest.checkpoint.path) == (4, donor.path)
    stand_at(trial, resumed.newest)
    assert trial.folders() == ["checkpoint_000004"]
    assert trial.current_checkpoint_index == 4
    trial.store(5, changed, index=5)
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, changed, donor)
    assert [record["epoch"] for record, _ in resumed.untold] == [5]


def test_an_ended_trial_keeps_no_state_and_is_known_to_have_ended(trial: Trial) -> None:
    checkpoint = trial.store(3)
    for _ in range(2):
        mark_ended(checkpoint)
    epoch = read_epoch(checkpoint)
    assert epoch is not None
    assert epoch.ended
    assert trial.storage_filesystem.get_file_info(f"{checkpoint.path}/{STATE_FILE}").type is pafs.FileType.NotFound
    trial.storage_filesystem.delete_dir(checkpoint.path)
    mark_ended(checkpoint)  # no fault
    assert not resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, None).newest


def test_what_is_stored_is_not_copied_onto_itself() -> None:
    copied: list[Checkpoint] = []

    def copy(checkpoint: Checkpoint) -> Checkpoint:
        copied.append(checkpoint)
        return checkpoint

    storage = SimpleNamespace(current_checkpoint_index=9, persist_current_checkpoint=copy)
    stored = Checkpoint("/trial/checkpoint_000004")
    with left_where_it_is(storage, stored):
        assert storage.current_checkpoint_index == 3
        assert storage.persist_current_checkpoint(stored) is stored
    assert not copied
    storage.persist_current_checkpoint(stored)
    assert copied == [stored]


def test_a_checkpoint_that_tune_has_dropped_before_its_snapshot_said_so_is_gone_on_after(trial: Trial) -> None:
    trial.store(4)
    trial.store(6)
    path = Path(trial.trial_fs_path)
    stand_in_for_dropped(str(path.parent) if path.is_absolute() else "s3://runs/")
    named = Checkpoint(f"{trial.trial_fs_path}/checkpoint_000004", trial.storage_filesystem)
    assert trial.storage_filesystem.get_file_info(named.path).type is pafs.FileType.Directory  # or Tune does not start the trial
    resumed = resume(trial.storage_filesystem, trial.trial_fs_path, CONFIG, named)
    assert resumed.newest
    assert resumed.newest.number == 6
    assert [record["epoch"] for record, _ in resumed.untold] == [6]
    assert read_epoch(Checkpoint(f"{trial.trial_fs_path}/checkpoint_000003", trial.storage_filesystem))  # what is there stays

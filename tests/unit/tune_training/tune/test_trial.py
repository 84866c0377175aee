"""What a trial reports; and that one which was killed between an epoch's checkpoint and Tune's taking note of it trains the rest only."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.fs as pafs
import pytest
from ray.tune import Checkpoint

from serve_app.settings import get_settings
from tests.support.tuning import TinySearch
from tune_training.data.manifest import read_manifest
from tune_training.data.photo import WHOLE_PHOTO
from tune_training.train.crops import Crops
from tune_training.train.model import TrainingData, predict_logits
from tune_training.train.sampling import Example, examples_of_manifest
from tune_training.tune import trial as module
from tune_training.tune.space import read_search_space
from tune_training.tune.stored_epochs import mark_ended
from tune_training.tune.trial import METRICS, TrialSettings, run_trial, validation_metrics

EPOCHS = 4
CONFIG = {"learning_rate": 1e-3, "augmentation": 0.0, "mixup": 0.0, "epochs": EPOCHS}

FEMALE, MALE = (4.0, 0.0), (0.0, 4.0)  # logits, columns as in LABELS


class Killed(BaseException):
    """Stands for SIGKILL."""


class FakeTune:
    """Stands in for Ray Tune on a worker: stores what is reported, and takes note of it unless it is killed before.

    Attributes:
        told: epochs and their checkpoints, in the order in which note was taken.
        dies_at: the epoch after whose checkpoint it is killed; 0: none.
    """

    storage_filesystem = pafs.LocalFileSystem()

    def __init__(self, folder: Path) -> None:
        self.trial_fs_path = str(folder)
        self.current_checkpoint_index = -1
        self.told: list[tuple[int, Checkpoint | None]] = []
        self.dies_at = 0

    def get_context(self) -> "FakeTune":
        return self

    def get_storage(self) -> "FakeTune":
        return self

    def get_checkpoint(self) -> Checkpoint | None:
        return next((checkpoint for _, checkpoint in reversed(self.told) if checkpoint), None)

    def persist_current_checkpoint(self, checkpoint: Checkpoint) -> Checkpoint:
        target = f"{self.trial_fs_path}/checkpoint_{self.current_checkpoint_index:06d}"
        shutil.copytree(checkpoint.path, target)  # fails where there is one
        return Checkpoint(target, self.storage_filesystem)

    def report(self, metrics: dict[str, Any], checkpoint: Checkpoint | None) -> None:
        if checkpoint:
            self.current_checkpoint_index += 1
            checkpoint = self.persist_current_checkpoint(checkpoint)
        if metrics["epoch"] == self.dies_at:
            raise Killed
        self.told.append((metrics["epoch"], checkpoint))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrialSettings:
    tiny = TinySearch(tmp_path_factory.mktemp("tiny"), EPOCHS).write()
    manifest = read_manifest(tiny.manifest)
    training, validation = (examples_of_manifest(manifest, split) for split in ("train", "val"))
    return TrialSettings(tiny.start, 32, read_search_space(tiny.space), training, validation, seed=0, threads=1)


@pytest.fixture
def tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTune]:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "worker")
    fake = FakeTune(tmp_path / "trial")
    for name in ("get_context", "get_checkpoint", "report"):
        monkeypatch.setattr(f"ray.tune.{name}", getattr(fake, name))
    yield fake
    get_settings.cache_clear()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each epoch that is trained."""
    calls: list[int] = []

    def noting(*arguments: Any) -> Any:
        calls.append(1)
        return predict_logits(*arguments)

    monkeypatch.setattr(module, "predict_logits", noting)
    return calls


@pytest.mark.parametrize("dies_at", [1, 3, EPOCHS])
def test_a_stored_epoch_is_told_and_not_trained_again(tune: FakeTune, settings: TrialSettings, trained: list[int], dies_at: int) -> None:
    tune.dies_at = dies_at
    with pytest.raises(Killed):
        run_trial(CONFIG, settings)
    assert len(trained) == dies_at
    assert len(tune.told) == dies_at - 1
    tune.dies_at = 0
    tune.current_checkpoint_index = dies_at - 2  # as far as Tune knows
    run_trial(CONFIG, settings)
    assert len(trained) == EPOCHS
    assert [epoch for epoch, _ in tune.told] == list(range(1, EPOCHS + 1))
    assert len({checkpoint.path for _, checkpoint in tune.told if checkpoint}) == EPOCHS


def test_a_trial_that_had_ended_trains_nothing(tune: FakeTune, settings: TrialSettings, trained: list[int]) -> None:
    run_trial(CONFIG, settings)
    (*_, (_, last)) = tune.told
    assert last
    mark_ended(last)
    tune.told, tune.current_checkpoint_index = [], -1  # as after a snapshot that was cut off
    run_trial(CONFIG, settings)
    assert len(trained) == EPOCHS
    assert [epoch for epoch, _ in tune.told] == list(range(1, EPOCHS + 1))


def data(*photos: tuple[str, str]) -> TrainingData:
    examples = [Example(f"{number}.jpg", label, source, WHOLE_PHOTO, str(number)) for number, (label, source) in enumerate(photos)]
    return TrainingData(examples, Crops(np.zeros((len(examples), 1, 1, 3), np.uint8), 1))


def test_all_metrics_are_reported() -> None:
    assert validation_metrics(np.array([FEMALE, MALE]), data(("female", "a"), ("male", "a"))).keys() == METRICS.keys()


def test_each_source_counts_the_same_in_the_mean_over_sources() -> None:
    photos = data(*[("female", "large"), ("male", "large")] * 4, ("female", "small"), ("male", "small"))
    guesses = np.array([FEMALE, MALE] * 4 + [FEMALE, FEMALE])  # one of ten is wrong, the only man of the small source
    metrics = validation_metrics(guesses, photos)
    assert metrics["mean_over_sources"] == pytest.approx((1.0 + 0.5) / 2)
    assert metrics["balanced_accuracy"] == pytest.approx((1.0 + 0.8) / 2)


def test_a_source_of_one_label_counts_by_that() -> None:
    metrics = validation_metrics(np.array([FEMALE, MALE, MALE]), data(("female", "a"), ("male", "a"), ("female", "women")))
    assert metrics["mean_over_sources"] == pytest.approx(0.5)

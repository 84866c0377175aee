"""What a trial stores and reports; killed at any moment, it repeats at most the last epoch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serve_app.settings import get_settings
from tests.support.tuning import TinySearch
from tune_training.data.manifest import read_manifest
from tune_training.io import storage
from tune_training.train import loop
from tune_training.tune.space import read_search_space
from tune_training.tune.trial import TrialSettings, run_trial
from tune_training.tune.trial_folder import RECORD_FILE, end_trial, read_trial

EPOCHS = 4
CONFIG = {"learning_rate": 1e-3, "augmentation": 0.0, "mixup": 0.0}


class Killed(BaseException):
    """Simulates SIGKILL."""


class FakeTune:
    """A fake of Ray Tune on a worker.

    Attributes:
        told: the reported epochs, in order.
        dies_at: the epoch at whose report the worker is killed; 0 for none.
    """

    def __init__(self) -> None:
        self.told: list[int] = []
        self.dies_at = 0

    def get_context(self) -> "FakeTune":
        return self

    def get_trial_name(self) -> str:
        return "trial_00000"

    def report(self, metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == self.dies_at:
            raise Killed
        self.told.append(metrics["epoch"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> TrialSettings:
    tiny = TinySearch(tmp_path_factory.mktemp("tiny"), EPOCHS).write()
    manifest, space = read_manifest(tiny.manifest), read_search_space(tiny.space)
    return TrialSettings("", tiny.start, 32, space, manifest.split("train"), manifest.split("val"), "loss", seed=0, threads=1)


@pytest.fixture
def settings(shared: TrialSettings, tmp_path: Path) -> TrialSettings:
    return replace(shared, folder=str(tmp_path / "search"))


@pytest.fixture
def folder(settings: TrialSettings) -> Path:
    return Path(settings.folder) / "trial_00000"


@pytest.fixture
def tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTune]:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "worker")
    fake = FakeTune()
    for name in ("get_context", "report"):
        monkeypatch.setattr(f"ray.tune.{name}", getattr(fake, name))
    yield fake
    get_settings.cache_clear()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Records the numbers of the epochs that are trained."""
    epochs: list[int] = []
    original = loop._save

    def record(run_dir: Path, epoch: loop.Epoch[Any], *arguments: Any) -> None:
        epochs.append(epoch.number)
        original(run_dir, epoch, *arguments)

    monkeypatch.setattr(loop, "_save", record)
    return epochs


ALL = list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("dies_at", [1, 3, EPOCHS])
def test_a_stored_epoch_is_reported_again_and_not_trained_again(
    tune: FakeTune, settings: TrialSettings, trained: list[int], dies_at: int
) -> None:
    tune.dies_at = dies_at
    with pytest.raises(Killed):
        run_trial(CONFIG, settings)
    assert (trained, tune.told) == (ALL[:dies_at], ALL[: dies_at - 1])
    tune.dies_at, tune.told = 0, []
    run_trial(CONFIG, settings)
    assert (trained, tune.told) == (ALL, ALL)


@pytest.mark.parametrize("cut_off", ["state-3.pt", "config.json", RECORD_FILE])
def test_killed_while_an_epoch_is_stored_only_that_one_is_trained_again(
    tune: FakeTune, settings: TrialSettings, folder: Path, trained: list[int], cut_off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original_file, original_bytes = storage.write_file, storage.write_bytes

    def dies(uri: str) -> None:
        known = read_trial(str(folder))
        if uri.endswith(cut_off) and known and len(known.history) == 2:
            raise Killed

    def write_file(uri: str, source: Path) -> None:
        dies(uri)
        original_file(uri, source)

    def write_bytes(uri: str, content: bytes) -> None:
        dies(uri)
        original_bytes(uri, content)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_file", write_file)
        patch.setattr(storage, "write_bytes", write_bytes)
        with pytest.raises(Killed):
            run_trial(CONFIG, settings)
    assert tune.told == [1, 2]
    run_trial(CONFIG, settings)
    assert trained == [1, 2, 3, 3, 4]
    assert tune.told == [1, 2, *ALL]


def test_the_model_of_the_best_epoch_is_stored(tune: FakeTune, settings: TrialSettings, folder: Path) -> None:
    run_trial(CONFIG, settings)
    record = read_trial(str(folder))
    assert record
    assert record.best == min(record.history, key=lambda each: each["loss"])["epoch"]
    assert (folder / record.model / "model.safetensors").exists()


def test_a_trial_that_had_ended_trains_nothing(tune: FakeTune, settings: TrialSettings, folder: Path, trained: list[int]) -> None:
    tune.dies_at = 3
    with pytest.raises(Killed):
        run_trial(CONFIG, settings)
    end_trial(str(folder))  # stopped early
    tune.dies_at, tune.told = 0, []
    run_trial(CONFIG, settings)
    assert (trained, tune.told) == ([1, 2, 3], [1, 2, 3])


def test_another_configuration_starts_anew(tune: FakeTune, settings: TrialSettings, folder: Path, trained: list[int]) -> None:
    run_trial(CONFIG, settings)
    run_trial({**CONFIG, "mixup": 0.2}, settings)
    assert trained == [*ALL, *ALL]
    record = read_trial(str(folder))
    assert record
    assert (record.config["mixup"], len(record.history)) == (0.2, EPOCHS)

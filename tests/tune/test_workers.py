"""Two processes train one model, and one of them is killed: the result is that of one process with whole batches."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.deadly_worker import KILLED, killed_once
from tests.support.s3 import S3Server
from tests.support.tuning import TinySearch
from tests.tune.conftest import CPUS
from tune_training.data.manifest import read_manifest
from tune_training.io.errors import InputError
from tune_training.train import workers as module
from tune_training.train.model import two_class_model
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.training import Training, run_training
from tune_training.train.workers import run_workers

SIZE = 32
# Nothing random but which photos are drawn; the last of an epoch's batches has a single photo, and each is computed in parts.
RECIPE = ClassifierRecipe(
    epochs=3, batch_size=13, photos_per_epoch=0, learning_rate=1e-3, augmentation=0.0, accumulate=3, warmup=0.0, source_power=1.0
)


def training(tiny: TinySearch, run_dir: Path) -> Training:
    table = read_manifest(tiny.manifest)
    return Training(tiny.start, SIZE, table.split("train"), table.split("val"), run_dir, RECIPE, None, 1)


def weights(folder: Path) -> torch.Tensor:
    """All of a checkpoint's, in one row."""
    return torch.cat([value.float().flatten() for _, value in sorted(load_file(folder / "model.safetensors").items())])


def test_two_workers_one_of_them_killed_train_what_one_process_does(
    cluster: S3Server, tiny: TinySearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "train_worker", killed_once)
    with caplog.at_level(logging.INFO, logger="tune_training"):
        together = weights(run_workers(training(tiny, tmp_path / "together"), 2))
    assert (tmp_path / "together" / KILLED).exists()
    told = [message.partition(":")[0] for message in caplog.messages if "epoch" in message]
    assert told == ["epoch 1/3", "resuming after epoch 1", "epoch 2/3", "epoch 3/3"]
    assert all("validation balanced_accuracy" in message for message in caplog.messages if message.startswith("epoch"))
    alone = weights(run_training(training(tiny, tmp_path / "alone")))
    model = two_class_model(tiny.start, SIZE).state_dict()
    before = torch.cat([value.half().float().flatten() for _, value in sorted(model.items())])
    assert (together - alone).norm() < 0.1 * (alone - before).norm()


def test_more_workers_than_processors_are_refused_before_any_work(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{CPUS + 1} workers need as many CPUs, and this machine has {CPUS}"):
        run_workers(training(tiny, tmp_path), CPUS + 1)

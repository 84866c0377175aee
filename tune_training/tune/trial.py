"""What a trial of the search runs on its worker: the one training function, reported to Ray Tune after each epoch.

A trial's checkpoint is the folder of `train_classifier.train`: the state to go on from, and the model. Whatever is killed, the next
worker goes on after the last epoch whose checkpoint was stored (`stored_epochs`).
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import tune
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import resolve
from serve_app.settings import get_settings
from tune_training.train.loop import Epoch
from tune_training.train.model import CHECKPOINT_FOLDER, LABELS, TrainingData, image_processor, predict_logits, read_data, train
from tune_training.train.sampling import Example
from tune_training.tune.schedulers import TIME
from tune_training.tune.space import SearchSpace
from tune_training.tune.stored_epochs import FOLDER, left_where_it_is, next_folder, resume, stand_at, write_epoch

# On val, and which end is better.
METRICS = {"balanced_accuracy": "max", "mean_over_sources": "max", "accuracy": "max", "roc_auc": "max", "loss": "min"}


@dataclass(frozen=True)
class TrialSettings:
    """What is the same for all trials of a search.

    Attributes:
        start: URI of the ViT checkpoint to start from; each node gets it for itself.
        image_size: side of the crops, pixels.
        space: completes a trial's configuration.
        training: photos to learn from.
        validation: photos to judge by.
        seed: of everything random.
        threads: of torch.
    """

    start: str
    image_size: int
    space: SearchSpace
    training: Sequence[Example]
    validation: Sequence[Example]
    seed: int
    threads: int


def starting_folder(uri: str) -> str:
    """The folder of a checkpoint, downloaded where needed."""
    if Path(uri).is_dir():  # a checkpoint to start from needs no image processor
        return uri
    return str(resolve(uri, get_settings().model_cache_dir).path)


def crops_folder() -> Path:
    """Where this node keeps the crops."""
    return get_settings().model_cache_dir.expanduser() / "crops"


def run_trial(config: Mapping[str, Any], settings: TrialSettings) -> None:
    """Trains with the numbers of one point, and reports the metrics on val and a checkpoint for each epoch."""
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(settings.threads)
    folder = Path("training").absolute()  # in the working directory that Ray gives to the trial
    shutil.rmtree(folder, ignore_errors=True)
    storage = tune.get_context().get_storage()
    resumed = resume(storage.storage_filesystem, storage.trial_fs_path, config, tune.get_checkpoint())
    for record, stored in resumed.untold:
        with left_where_it_is(storage, stored) if stored else nullcontext():
            tune.report(record, checkpoint=stored)
    stand_at(storage, resumed.newest)
    history: list[dict[str, Any]] = [dict(each) for each in resumed.newest.history] if resumed.newest else []
    if resumed.newest:
        if resumed.newest.ended:
            return
        resumed.newest.checkpoint.to_directory(folder)
    training, validation = (
        read_data(examples, settings.image_size, crops_folder()) for examples in (settings.training, settings.validation)
    )
    start = starting_folder(settings.start)
    processor = image_processor(start, settings.image_size)

    def report(epoch: Epoch[PreTrainedModel]) -> Mapping[str, float]:
        if epoch.number == len(history):
            return {}  # a loop that goes on tells of the last epoch again
        assert epoch.number == len(history) + 1, "the loop did not go on from the checkpoint's state: finished epochs would be repeated"
        metrics = {
            **validation_metrics(predict_logits(epoch.average, validation.crops, processor), validation),
            "training_loss": epoch.loss,
            "images_per_second": len(training.examples) / epoch.seconds,
        }
        history.append({TIME: epoch.number, **metrics, "ended": time.time(), FOLDER: next_folder(storage)})
        write_epoch(folder, config, history)
        tune.report(history[-1], checkpoint=tune.Checkpoint(str(folder)))
        return metrics

    # Only what fixes the shape of a state is part of its identity: population-based training goes on with other numbers.
    recipe = settings.space.recipe(config, settings.seed)
    train(start, training, folder, recipe, on_epoch=report, identity={"start": settings.start, "frozen_layers": recipe.frozen_layers})
    shutil.rmtree(folder, ignore_errors=True)


def validation_metrics(logits: np.typing.NDArray[np.float32], data: TrainingData) -> dict[str, float]:
    """`METRICS` of logits (n, 2), at a temperature of 1. `mean_over_sources` is the balanced accuracy of each source, averaged."""
    logits = logits.astype(np.float64)
    male = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    guesses = (male > 0.5).astype(int)
    return {
        "balanced_accuracy": float(balanced_accuracy_score(data.labels, guesses)),
        "mean_over_sources": _mean_over_sources(data, guesses),
        "accuracy": float(accuracy_score(data.labels, guesses)),
        "roc_auc": float(roc_auc_score(data.labels, male)),
        "loss": float(log_loss(data.labels, male, labels=range(len(LABELS)))),
    }


def _mean_over_sources(data: TrainingData, guesses: np.typing.NDArray[np.int64]) -> float:
    sources = np.array([each.source for each in data.examples])
    rights = data.labels == guesses
    recalls = {
        source: [rights[here].mean() for label in range(len(LABELS)) if (here := (sources == source) & (data.labels == label)).any()]
        for source in np.unique(sources)
    }
    return float(np.mean([np.mean(each) for each in recalls.values()]))


def model_folder(checkpoint: Path) -> Path:
    """The model in the Hugging Face layout, within a trial's checkpoint."""
    return checkpoint / CHECKPOINT_FOLDER

"""What a trial of the search runs on its worker: the one training function, with each epoch stored in the trial's folder and reported.

Ray Tune gets metrics only. Whatever is killed, the next worker reports the stored epochs again and resumes after the last of them.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune
from transformers.utils import logging as transformers_logging

from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.train.crops import training_crops
from tune_training.train.fine_tune import EPOCH, fine_tune, quality
from tune_training.tune.space import SearchSpace
from tune_training.tune.trial_folder import TrialRecord, read_state, read_trial, write_epoch


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a search share.

    Attributes:
        folder: folder or s3:// prefix of the trials' folders.
        start: URI of the checkpoint to start from; each node downloads it for itself.
        image_size: side of each view, pixels.
        space: completes a trial's configuration.
        training: the training split, or a part of it.
        validation: the validation split.
        metric: one of `METRICS`; decides which epoch is the best.
        seed: of everything random.
        threads: of torch.
    """

    folder: str
    start: str
    image_size: int
    space: SearchSpace
    training: Sequence[Photo]
    validation: Sequence[Photo]
    metric: str
    seed: int
    threads: int


def run_trial(config: Mapping[str, Any], settings: TrialSettings) -> None:
    """Trains with one configuration; stores and reports each epoch."""
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(settings.threads)
    config = json.loads(json.dumps(dict(config), default=float))  # as it is read back
    uri = storage.join(settings.folder, tune.get_context().get_trial_name())
    known = read_trial(uri)
    if known and known.config != config:
        known = None
    history = [dict(each) for each in known.history] if known else []
    for each in history:
        tune.report(each)  # ASHA decides at a milestone once, and ignores it when it is reported again
    if known and known.ended:
        return
    run_dir = Path("training").absolute()  # in the working directory that Ray gives to the trial
    shutil.rmtree(run_dir, ignore_errors=True)
    if known:
        read_state(uri, known, run_dir)
    training, validation = (training_crops(photos, settings.image_size) for photos in (settings.training, settings.validation))

    def report(metrics: Mapping[str, float]) -> None:
        if metrics[EPOCH] <= len(history):
            return  # a resumed run reports its last epoch again
        history.append({**metrics, "ended": time.time()})
        best = max(history, key=lambda each: quality(each, settings.metric))
        write_epoch(uri, TrialRecord(config, history, int(best[EPOCH])), run_dir)
        tune.report(history[-1])

    recipe = settings.space.recipe(config, settings.seed)
    fine_tune(settings.start, training, run_dir, recipe, validation=validation, on_epoch=report)
    shutil.rmtree(run_dir, ignore_errors=True)

"""Fine-tunes an image classifier into one of the labels male and female, on crops as the detector makes them.

`fine_tune` is the one training function: the command `train` runs it once, and each trial of a search runs it with other numbers.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from serve_app.runtimes.base import LABELS
from serve_app.runtimes.networks import normalisation, position_options
from tune_training.data.manifest import Manifest
from tune_training.data.photo import Photo
from tune_training.io.errors import InputError
from tune_training.train.augmentation import Augment
from tune_training.train.crops import DECISION, Crops
from tune_training.train.distributed import gradients_stay, processes, share_of
from tune_training.train.layers import parameter_groups
from tune_training.train.loop import Epoch, LoopConfig, fit, read_ahead, seed_everything, write_checkpoint
from tune_training.train.memory import photos_at_once
from tune_training.train.metric import METRICS
from tune_training.train.model import check_start, image_processor, predict_logits, starting_folder, two_class_model
from tune_training.train.patience import Patience
from tune_training.train.precision import autocast, gradient_scaler
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.sampling import sampling_weights
from tune_training.train.teacher import Student, Teacher, feature_loss

EPOCH = "epoch"  # in what is reported: number of epochs done
CHECKPOINT_FOLDER = "checkpoint"
MAX_WARMUP_STEPS = 100
STOPPING_METRIC = "balanced_accuracy"  # and, of equals, the loss


class Batch(NamedTuple):
    """Photos of one step; of several processes, those of this one.

    Attributes:
        views: working views (n, views, side, side, 3), uint8.
        wanted: probabilities (n, 2).
        features: the teacher's, (n, k).
        seen: of which it knows any, (n,).
        photos: what the sum over photos is divided by: n, or the mean n of all processes; infinite where the photos do not count.
        known: likewise of the sum over photos that the teacher knows.
    """

    views: Tensor
    wanted: Tensor
    features: Tensor
    seen: Tensor
    photos: float
    known: float


def quality(metrics: Mapping[str, float], metric: str) -> tuple[float, float]:
    """Orders metrics, the best last: by `metric`, ties by the loss."""
    return metrics[metric] * (1 if METRICS[metric] == "max" else -1), -metrics["loss"]


def photos_of(manifest: Manifest, split: str) -> list[Photo]:
    """The photos of a split.

    Raises:
        InputError: there are none, or all have the same label.
    """
    photos = manifest.split(split)
    if missing := set(LABELS) - {photo.label for photo in photos}:
        raise InputError(f"all {len(photos)} photos of {split!r} have one label; there is none of {min(missing)!r}")
    return photos


def fine_tune(
    start: str,
    training: Crops,
    run_dir: Path,
    recipe: ClassifierRecipe,
    *,
    validation: Crops | None = None,
    teacher: Teacher | None = None,
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
    on_answers: Callable[[int, NDArray[np.float32]], None] | None = None,
    last_epoch: int | None = None,
) -> Path:
    """Trains, and writes the state to resume from and `checkpoint/` in the Hugging Face layout to `run_dir` after each epoch.

    Args:
        start: URI of an image classifier's checkpoint.
        training: the training split.
        run_dir: training resumes from a state in it.
        recipe: see `ClassifierRecipe`.
        validation: the validation split; without it, there are no validation metrics.
        teacher: what a stronger model says of the training split.
        on_epoch: called when an epoch's files are written, with `EPOCH`, the validation `METRICS`, `training_loss` and
            `images_per_second`. A resumed run calls it again for the last finished epoch. With `recipe.patience`, the checkpoint is that of
            the best epoch so far.
        on_answers: called before that, with the epoch's number and its logits (n, 2) of the validation split.
        last_epoch: ends the training there, on the schedule of `recipe.epochs`; None: at the end of the schedule.

    Of several processes (see `distributed`), each calls this with the same arguments and a `run_dir` that all of them see; `batch_size` is
    that of all of them together.

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: the start does not fit, an epoch has less than a batch, a batch has fewer photos than there are processes, a teacher's
            features would be mixed up, there is nothing to be patient about, or `run_dir` belongs to another run.
        CheckpointError: the service would not take a network like the start.
    """
    if teacher and recipe.mixup:
        raise InputError("mixup goes without a teacher: the features of mixed photos are not those of either")
    if recipe.patience and validation is None:
        raise InputError("patience needs photos of the split 'val'")
    check_start(start, training.size, recipe.frozen_layers)
    if 0 < recipe.photos_per_epoch < recipe.batch_size:
        raise InputError(f"an epoch of {recipe.photos_per_epoch} photos has less than a batch of {recipe.batch_size}")
    if recipe.batch_size < processes():
        raise InputError(f"a batch of {recipe.batch_size} photos is too small for {processes()} processes")
    each_once = not recipe.photos_per_epoch and recipe.source_power == 1 and not recipe.balanced_by
    # A given number of photos is drawn in whole batches; otherwise the last batch is smaller.
    steps = recipe.photos_per_epoch // recipe.batch_size or -(-len(training) // recipe.batch_size)
    drawn = steps * recipe.batch_size if recipe.photos_per_epoch else len(training)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seed_everything(recipe.seed)
    folder = starting_folder(start)
    processor = image_processor(folder, training.size)
    mean, deviation = (values.to(device) for values in normalisation(processor))
    classifier = two_class_model(folder, training.size)
    model: nn.Module = (Student(classifier, teacher.features.shape[1]) if teacher else classifier).to(device)
    augment = Augment(training.size, recipe.augmentation, mean, deviation)
    at_once = min(math.ceil(recipe.batch_size / processes() / recipe.accumulate), photos_at_once(start, training.size, device))
    wanted_of = wanted_probabilities(training, recipe, teacher)
    features_of = teacher.features if teacher else torch.zeros(len(training), 0)
    known = teacher.known if teacher else torch.zeros(len(training), dtype=torch.bool)
    weights = sampling_weights(training.photos, recipe.source_power, recipe.balanced_by)
    run_dir.mkdir(parents=True, exist_ok=True)
    patience = Patience(run_dir, recipe.patience)

    def read(indices: NDArray[np.int64]) -> Batch:
        photos, of_teacher = len(indices) / processes(), max(1, int(known[indices].sum())) / processes()
        own = share_of(indices)
        if not len(own):  # the exchange of gradients needs some of every process
            own, photos, of_teacher = indices[:1], math.inf, math.inf
        return Batch(training.read(own), wanted_of[own], features_of[own], known[own], photos, of_teacher)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([recipe.seed, epoch])
        chosen = rng.permutation(len(training)) if each_once else rng.choice(len(training), drawn, p=weights)
        return read_ahead(read, np.array_split(chosen, range(recipe.batch_size, len(chosen), recipe.batch_size)))

    def losses(network: nn.Module, batch: Batch) -> Iterator[Tensor]:
        views, wanted, features, seen = (each.to(device, non_blocking=True) for each in batch[:4])
        generator = torch.Generator(device)
        generator.manual_seed(int(torch.randint(2**31, (1,))))  # the loop seeds the global one for each epoch
        pixels = augment(views, generator)
        if recipe.mixup:
            share = float(np.random.beta(recipe.mixup, recipe.mixup))
            pixels, wanted = (share * each + (1 - share) * each.flip(0) for each in (pixels, wanted))
        network.train()
        options = position_options(classifier.config, *pixels.shape[-2:])
        for first in range(0, len(pixels), at_once):
            part, is_last = slice(first, first + at_once), first + at_once >= len(pixels)
            with autocast(device), nullcontext() if is_last else gradients_stay(network):
                found = network(pixel_values=pixels[part], **options)
            logits, shown = found if teacher else (found.logits, None)
            value = functional.cross_entropy(logits.float(), wanted[part]) * len(wanted[part]) / batch.photos
            if shown is not None:
                similar = feature_loss(shown.float(), features[part], seen[part]) * seen[part].sum() / batch.known
                value = value + recipe.feature_weight * similar
            yield value

    def keep(epoch: Epoch[nn.Module]) -> Mapping[str, float]:
        average: Any = epoch.average.classifier if isinstance(epoch.average, Student) else epoch.average
        metrics: dict[str, float] = {}
        if validation:
            answers = predict_logits(average, validation, processor)
            metrics = validation_metrics(answers, validation)
            if on_answers:
                on_answers(epoch.number, answers)
        if not recipe.patience or patience.is_best(epoch.number, quality(metrics, STOPPING_METRIC)):
            write_checkpoint(average, processor, run_dir / CHECKPOINT_FOLDER)
            DECISION.write(run_dir / CHECKPOINT_FOLDER)
        if on_epoch:
            on_epoch({EPOCH: epoch.number, **metrics, "training_loss": epoch.loss, "images_per_second": len(training) / epoch.seconds})
        return {f"validation {name}": value for name, value in metrics.items()}

    optimizer = torch.optim.AdamW(parameter_groups(model, classifier, recipe), lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
    identity = {"start": start, "photos": len(training), "teacher": teacher.sha256 if teacher else "", **asdict(recipe)}
    warmup = min(MAX_WARMUP_STEPS, round(recipe.warmup * steps * recipe.epochs))
    config = LoopConfig(recipe.epochs, steps, warmup, seed=recipe.seed, recipe=identity)
    scaler = gradient_scaler(device)
    fit(
        model,
        optimizer,
        batches,
        losses,
        config,
        run_dir,
        on_epoch=keep,
        is_enough=patience.is_over,
        last_epoch=last_epoch,
        scaler=scaler,
    )
    return run_dir / CHECKPOINT_FOLDER


def wanted_probabilities(training: Crops, recipe: ClassifierRecipe, teacher: Teacher | None) -> Tensor:
    """(n, 2): the labels, smoothed; where there is a teacher who knows the photo, its probabilities count for `teacher_share`."""
    smoothed = functional.one_hot(torch.from_numpy(training.labels), len(LABELS)) * (1 - recipe.label_smoothing)
    smoothed += recipe.label_smoothing / len(LABELS)
    if teacher is None:
        return smoothed
    share = recipe.teacher_share * teacher.known.float()[:, None]
    return (1 - share) * smoothed + share * teacher.probabilities


def validation_metrics(logits: NDArray[np.float32], data: Crops) -> dict[str, float]:
    """`METRICS` of logits (n, 2), at a temperature of 1. `mean_over_sources` is the balanced accuracy of each source, averaged."""
    logits = logits.astype(np.float64)
    male = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    labels, guesses = data.labels, (male > 0.5).astype(int)
    return {
        "balanced_accuracy": float(balanced_accuracy_score(labels, guesses)),
        "mean_over_sources": _mean_over_sources(data, guesses),
        "accuracy": float(accuracy_score(labels, guesses)),
        "roc_auc": float(roc_auc_score(labels, male)),
        "loss": float(log_loss(labels, male, labels=range(len(LABELS)))),
    }


def _mean_over_sources(data: Crops, guesses: NDArray[np.int64]) -> float:
    sources = np.array([photo.source for photo in data.photos])
    right = data.labels == guesses
    recalls = {
        source: [right[here].mean() for label in range(len(LABELS)) if (here := (sources == source) & (data.labels == label)).any()]
        for source in np.unique(sources)
    }
    return float(np.mean([np.mean(each) for each in recalls.values()]))

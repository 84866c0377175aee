"""Trains where there are too few photos to hold some back: k-fold cross-validation, and then one model of all photos.

    RUN_DIR/folds/settings.json   what the folds are of; others are refused there
            folds/1/              a run in training, as of `train` without folds; it goes when the fold is done
            folds/1.npy           the fold's answers after each epoch, (epochs, photos of the fold, 2), logits
            folds.json            the estimate
            checkpoint/           the final model, with the estimate in its metrics.json

Each photo is answered by the model that has not seen it. The number of epochs whose answers count is, for each fold, the one that is best
on the other folds, so that no photo has a say in its own judgement (nested selection; Varma and Simon 2006, Bias in Error Estimation When
Using Cross-Validation for Model Selection). What all folds together choose is the number of epochs of the final model. It cannot be judged
on these photos, which it has seen; the estimate is that of its recipe with a few photos less.

The same call resumes wherever the last one was stopped: in the fold, and there after the last epoch.
"""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.checkpoints.decision import DECISION_FILE, ClassifierDecision
from serve_app.codes import Code
from serve_app.runtimes.base import FEMALE, LABELS
from tune_training.data.folds import folds_of
from tune_training.data.manifest import TRAIN, VAL, Manifest
from tune_training.evaluate.card_tables import percent_of
from tune_training.evaluate.confidence_choice import ERROR_RATE, calibrated
from tune_training.evaluate.metrics_file import Metrics, to_json, write_metrics
from tune_training.evaluate.scores import Judged, scores, share
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.train.crops import DECISION, Crops, training_crops
from tune_training.train.fine_tune import STOPPING_METRIC, fine_tune, quality, validation_metrics
from tune_training.train.loop import STATE_FILE
from tune_training.train.metric import METRICS
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.teacher import read_teacher

logger = logging.getLogger(__name__)

FOLDS_FILE = "folds.json"
FOLDERS, SETTINGS_FILE = "folds", "settings.json"
WIDE = 0.1  # of the interval of an accuracy: with it, better and worse models cannot be told apart
TYPICAL = 0.9  # accuracy

Answers = NDArray[np.float32]
Ints = NDArray[np.int64]


def cross_validate(
    start: str, table: Manifest, folds: int, image_size: int, run_dir: Path, recipe: ClassifierRecipe, teacher: Path | None = None
) -> Metrics:
    """Trains a model for each fold and the final one. Returns the estimate, the content of `folds.json`.

    Args:
        start: see `fine_tune`.
        table: the photos; those of the splits `train` and `val` are trained on, and no others.
        folds: how many; 2 or more.
        image_size: side of each view, pixels.
        run_dir: folder of all results.
        recipe: of every model; `patience` is 0, because the folds choose the number of epochs.
        teacher: see `read_teacher`.

    Raises:
        InputError: see `fine_tune` and `folds_of`; or `run_dir` belongs to another run.
    """
    if recipe.patience:
        raise InputError("patience goes without folds: these choose the number of epochs")
    if folds < 2:
        raise InputError("there are two folds at least")
    chosen = [photo for photo in table.photos if photo.split in (TRAIN, VAL)]
    fold_of = folds_of(table.name, chosen, folds, recipe.seed)
    photos, folders = training_crops(chosen, image_size), run_dir / FOLDERS
    _claim(start, photos, fold_of, run_dir, recipe, teacher)
    logits: Answers = np.empty((recipe.epochs, len(photos), len(LABELS)), dtype=np.float32)
    for fold in range(folds):
        left_out, rest = (np.flatnonzero(chosen) for chosen in (fold_of == fold, fold_of != fold))
        done = folders / f"{fold + 1}.npy"
        if not done.exists():
            logger.info("fold %d of %d: %d photos to train on, %d to answer", fold + 1, folds, len(rest), len(left_out))
            _train_fold(start, photos.only(rest), photos.only(left_out), folders / str(fold + 1), recipe, teacher)
        shutil.rmtree(folders / str(fold + 1), ignore_errors=True)
        logits[:, left_out] = np.load(done)
    found, decision = _estimate(photos, fold_of, logits)
    _write(run_dir / FOLDS_FILE, to_json(found))
    logger.info("%s", summary(found))
    logger.info("the final model: %d epochs of %d on all %d photos", found["epochs"], recipe.epochs, len(photos))
    taught = read_teacher(teacher, photos.photos) if teacher else None
    checkpoint = fine_tune(start, photos, run_dir, recipe, teacher=taught, last_epoch=found["epochs"])
    _write(checkpoint / DECISION_FILE, decision.to_json())
    write_metrics(checkpoint, {"folds": found, "splits": {}}, table.name)
    return found


def summary(found: Metrics) -> str:
    """The estimate in a line."""
    estimate, metric = found["estimate"], found["spread"]["balanced_accuracy"]
    return (
        f"Out of fold, on {estimate['photos']} photos: balanced accuracy {percent_of(estimate['balanced_accuracy'])}, accuracy "
        f"{percent_of(estimate['accuracy'])}; balanced accuracy of the {found['folds']} folds from {metric['lowest']:.1%} to "
        f"{metric['highest']:.1%}"
    )


def hint_for(validation: int, both: int, taken: str) -> str:
    """What to do where the validation split tells too little; empty where it tells enough.

    Args:
        validation: photos of the split.
        both: photos of the training and the validation split.
        taken: what the split decides.
    """
    interval = share(round(TYPICAL * validation), validation)
    if interval.high - interval.low <= WIDE:
        return ""
    return (
        f"the {validation} photos of 'val' are few, and {taken}: an accuracy of {interval.value:.0%} on them means anything from "
        f"{interval.low:.0%} to {interval.high:.0%} (95 % interval). `train --folds 5` judges by all {both} photos of 'train' and 'val',"
        " and then trains on all of them"
    )


def _claim(start: str, photos: Crops, fold_of: Ints, run_dir: Path, recipe: ClassifierRecipe, teacher: Path | None) -> None:
    """Marks `run_dir` as of these folds, before hours of work, unless it is of something else."""
    path = run_dir / FOLDERS / SETTINGS_FILE
    rows = sorted(
        (photo.sha256, photo.label, photo.source, photo.box, fold) for photo, fold in zip(photos.photos, fold_of.tolist(), strict=True)
    )
    wanted = {
        "start": start,
        "photos and folds": hashlib.sha256(repr(rows).encode()).hexdigest()[:16],
        "image size": photos.size,
        "teacher": hashlib.sha256(teacher.read_bytes()).hexdigest() if teacher else "",
        **asdict(recipe),
    }
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if changed := [name for name, value in wanted.items() if known.get(name) != value]:
            raise InputError(f"{run_dir} belongs to other folds: {', '.join(changed)} changed. Choose another folder or the same settings")
        return
    if (run_dir / STATE_FILE).exists():
        raise InputError(f"{run_dir} belongs to a run without folds: choose another folder")
    _write(path, json.dumps(wanted, indent=2))


def _train_fold(start: str, training: Crops, left_out: Crops, run_dir: Path, recipe: ClassifierRecipe, teacher: Path | None) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)

    def keep(epoch: int, logits: Answers) -> None:
        _save(run_dir / f"{epoch}.npy", logits)

    taught = read_teacher(teacher, training.photos) if teacher else None
    fine_tune(start, training, run_dir, recipe, validation=left_out, teacher=taught, on_answers=keep)
    _save(run_dir.with_suffix(".npy"), np.stack([np.load(run_dir / f"{epoch + 1}.npy") for epoch in range(recipe.epochs)]))


def _estimate(photos: Crops, fold_of: Ints, logits: Answers) -> tuple[Metrics, ClassifierDecision]:
    """The content of `folds.json`, and the decision whose temperature and `min_confidence` fit the answers (epochs, n, 2)."""
    folds = range(int(fold_of.max()) + 1)
    epoch_of = [_best_epoch(photos, logits, fold_of != fold) for fold in folds]
    answers = logits[np.array(epoch_of)[fold_of] - 1, np.arange(len(photos))]
    margins = answers[:, 0].astype(np.float64) - answers[:, 1]
    female = np.array([photo.label == FEMALE for photo in photos.photos])
    judged = Judged(female, [Code.OK] * len(photos), margins)
    decision = calibrated(DECISION, photos.photos, judged, ERROR_RATE)
    by_fold = []
    for fold in folds:
        here = np.flatnonzero(fold_of == fold)
        metrics = validation_metrics(answers[here], photos.only(here))
        by_fold.append({"fold": fold + 1, "photos": len(here), "epochs": epoch_of[fold], **metrics})
    estimate = scores(replace(judged, temperature=decision.temperature))
    return {
        "folds": len(folds),
        "epochs": _best_epoch(photos, logits, np.ones(len(photos), dtype=bool)),
        "epochs_planned": len(logits),
        "chosen_by": STOPPING_METRIC,
        "estimate": {name: value for name, value in estimate.items() if name not in ("codes", "answered")},
        "spread": {name: _spread([each[name] for each in by_fold]) for name in METRICS},
        "by_fold": by_fold,
        "temperature": decision.temperature,
        "min_confidence": decision.min_confidence,
    }, decision


def _best_epoch(photos: Crops, logits: Answers, chosen: NDArray[np.bool_]) -> int:
    """The number of epochs, from 1, whose answers (epochs, n, 2) to the chosen photos (n,) are the best."""
    indices = np.flatnonzero(chosen)
    some = photos.only(indices)
    found = [quality(validation_metrics(each[indices], some), STOPPING_METRIC) for each in logits]
    return 1 + max(range(len(found)), key=found.__getitem__)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "lowest": min(values),
        "highest": max(values),
    }


def _save(path: Path, values: Answers) -> None:
    content = io.BytesIO()
    np.save(content, values)
    storage.write_bytes(str(path), content.getvalue())


def _write(path: Path, text: str) -> None:
    storage.write_bytes(str(path), text.encode())

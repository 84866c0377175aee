"""One training as it is asked for: photos and numbers, which a command or a worker process makes into a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_training.data.photo import Photo
from tune_training.train.crops import training_crops
from tune_training.train.fine_tune import fine_tune
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.teacher import read_teacher


@dataclass(frozen=True)
class Training:
    """What to train on what.

    Attributes:
        start: URI of the checkpoint to start from.
        image_size: side of each view, pixels.
        training: the training split.
        validation: the validation split; empty if there is none.
        run_dir: see `fine_tune`.
        recipe: likewise.
        teacher: see `read_teacher`.
        threads: of torch, in each process; 0: one per core.
    """

    start: str
    image_size: int
    training: Sequence[Photo]
    validation: Sequence[Photo]
    run_dir: Path
    recipe: ClassifierRecipe
    teacher: Path | None
    threads: int


def run_training(asked: Training) -> Path:
    """Trains in this process; returns the checkpoint's folder. See `fine_tune` for what it raises."""
    training = training_crops(asked.training, asked.image_size)
    validation = training_crops(asked.validation, asked.image_size) if asked.validation else None
    taught = read_teacher(asked.teacher, training.photos) if asked.teacher else None
    return fine_tune(asked.start, training, asked.run_dir, asked.recipe, validation=validation, teacher=taught)

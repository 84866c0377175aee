"""The commands that train once: their options, and what they print. `__main__` lists all commands."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from tune_training.data.manifest import TRAIN, VAL, read_manifest
from tune_training.detector.recipe import DetectorRecipe
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, set_threads
from tune_training.train.recipe import DEFAULT_START, ClassifierRecipe

logger = logging.getLogger(__name__)

HUB = "hf://"
EMBEDDED_SIZE = 128  # the embedded classifier's: with 96 it finds 4 women in 100 fewer in LFW, and takes half the time

Manifest = Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")]


def train_detector(
    start: Annotated[str, typer.Option(help="Checkpoint to start from: a folder, or hf://org/name.")],
    people: Annotated[
        Path, typer.Option(help="COCO file of the training photos, with the categories person and head.", exists=True, dir_okay=False)
    ],
    run_dir: Annotated[Path, typer.Option(help="Folder of the state and the result; the same command resumes there.")] = Path(
        "runs/person-detector"
    ),
    epochs: Annotated[int, typer.Option(help="Passes over the photos.")] = DetectorRecipe.epochs,
    batch_size: Annotated[int, typer.Option(help="Photos per step.")] = DetectorRecipe.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = DetectorRecipe.learning_rate,
    enc_output_learning_rate: Annotated[
        float, typer.Option(help="The same of the layer `enc_output`: more, where the start has not trained it.")
    ] = DetectorRecipe.enc_output_learning_rate,
    image_size: Annotated[int, typer.Option(help="Side of the square that photos are resized to, pixels.")] = DetectorRecipe.image_size,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = DetectorRecipe.seed,
    threads: Threads = 0,
) -> None:
    """Fine-tune a DETR-family detector on photos with boxes of people and heads. Result: RUN_DIR/checkpoint."""
    recipe = DetectorRecipe(epochs, batch_size, image_size, learning_rate, enc_output_learning_rate, seed=seed)
    begin = _starting_point(start)

    from tune_training.detector import train as training  # takes seconds, which `--help` and mistakes save

    set_threads(threads)
    folder = training.train_detector(begin, people, run_dir, recipe)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate-detector --help")


def train(
    manifest: Manifest,
    recipe: ClassifierRecipe,
    start: Annotated[str, typer.Option(help="Image classifier to start from: a folder, s3://bucket/prefix/ or hf://org/name.")] = (
        DEFAULT_START
    ),
    run_dir: Annotated[Path, typer.Option(help="Folder of the state and the result; the same command resumes there.")] = Path(
        "runs/gender-classifier"
    ),
    image_size: Annotated[int, typer.Option(help="Side of each of the two views, pixels; 0: the checkpoint's own.", min=0)] = EMBEDDED_SIZE,
    teacher: Annotated[
        Path | None, typer.Option(help="What a stronger model says of the photos: Parquet with the columns sha256, female, features.")
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            help="For few photos, 5 or 10: leaves out so many parts of `train` and `val` in turn, estimates from all of these photos how"
            " good the recipe is, and trains the model on all of them; 0: trains once, on `train`.",
            min=0,
        ),
    ] = 0,
    workers: Annotated[
        int, typer.Option(help="Processes of this machine that share out every batch, with Ray Train; of GPUs, one each.", min=1)
    ] = 1,
    threads: Threads = 0,
) -> None:
    """Fine-tune an image classifier once, on `train`; metrics after each epoch are of `val`, if that exists. Result: RUN_DIR/checkpoint."""
    table = read_manifest(manifest)

    from tune_training.train.cross_validation import FOLDS_FILE, cross_validate, hint_for, summary  # take seconds, which mistakes save
    from tune_training.train.fine_tune import CHECKPOINT_FOLDER, photos_of
    from tune_training.train.model import check_start
    from tune_training.train.training import Training, run_training

    set_threads(threads)
    size, _ = check_start(start, image_size, recipe.frozen_layers)
    if folds and workers > 1:
        raise InputError("folds are for few photos, and one worker trains them")
    if folds:
        found = cross_validate(start, table, folds, size, run_dir, recipe, teacher)
        typer.echo(f"{summary(found)}. All numbers: {run_dir / FOLDS_FILE}")
        folder = run_dir / CHECKPOINT_FOLDER
        typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help (the folds have calibrated it)")
        return
    training = photos_of(table, TRAIN)
    validation = photos_of(table, VAL) if VAL in table.splits else []
    if validation and (hint := hint_for(len(validation), len(training) + len(validation), "all that is known of an epoch")):
        logger.info("%s", hint)
    asked = Training(start, size, training, validation, run_dir, recipe, teacher, threads)
    if workers > 1:
        from tune_training.train.workers import run_workers  # Ray takes seconds, which one process saves

        folder = run_workers(asked, workers)
    else:
        folder = run_training(asked)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


def _starting_point(uri: str) -> str:
    """What `from_pretrained` takes; it would look for a mistyped folder on the hub."""
    if uri.startswith(HUB):
        return uri.removeprefix(HUB)
    if not Path(uri).is_dir():
        raise InputError(f"{uri}: there is no such folder. Write a folder with a checkpoint, or {HUB}org/name")
    return uri

"""The commands that train once: their options, and what they print. `__main__` lists all commands."""

from pathlib import Path
from typing import Annotated

import typer

from tune_training.data.manifest import TRAIN, VAL, read_manifest
from tune_training.detector.recipe import DetectorRecipe
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, set_threads
from tune_training.train.recipe import DEFAULT_START, ClassifierRecipe

HUB = "hf://"
EMBEDDED_SIZE = 96  # of a head it shows all that a small ViT can use, and two views cost less than one of 160

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
    recipe, begin = (
        DetectorRecipe(epochs, batch_size, image_size, learning_rate, enc_output_learning_rate, seed=seed),
        _starting_point(start),
    )

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
    threads: Threads = 0,
) -> None:
    """Fine-tune an image classifier once, on `train`; metrics after each epoch are of `val`, if that exists. Result: RUN_DIR/checkpoint."""
    table = read_manifest(manifest)

    from tune_training.train.crops import training_crops  # take seconds, which `--help` and mistakes save
    from tune_training.train.fine_tune import fine_tune, photos_of
    from tune_training.train.model import check_start
    from tune_training.train.teacher import read_teacher

    set_threads(threads)
    size, _ = check_start(start, image_size, recipe.frozen_layers)
    training = training_crops(photos_of(table, TRAIN), size)
    validation = training_crops(photos_of(table, VAL), size) if VAL in table.splits else None
    taught = read_teacher(teacher, training.photos) if teacher else None
    folder = fine_tune(start, training, run_dir, recipe, validation=validation, teacher=taught)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


def _starting_point(uri: str) -> str:
    """What `from_pretrained` takes; it would look for a mistyped folder on the hub."""
    if uri.startswith(HUB):
        return uri.removeprefix(HUB)
    if not Path(uri).is_dir():
        raise InputError(f"{uri}: there is no such folder. Write a folder with a checkpoint, or {HUB}org/name")
    return uri

"""The commands: `python -m tune_training COMMAND --help`."""

import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import CheckpointError
from serve_app.checkpoints.decision import DecisionError
from tune_training.data.manifest import TRAIN, VAL, read_manifest
from tune_training.data.prepare import prepare_command
from tune_training.detector.evaluate import evaluate_detector
from tune_training.detector.train import DetectorRecipe
from tune_training.detector.train import train_detector as run_detector_training
from tune_training.evaluate.card import model_card
from tune_training.evaluate.evaluation import evaluate
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, set_threads
from tune_training.io.options import expanded
from tune_training.label_noise import label_noise
from tune_training.predict import predict_command
from tune_training.publish import publish
from tune_training.run import run_command
from tune_training.train.crops import training_crops
from tune_training.train.fine_tune import fine_tune, photos_of
from tune_training.train.model import DEFAULT_START, check_start
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.teacher import read_teacher
from tune_training.tune.options import TuneOptions
from tune_training.tune.result import BEST
from tune_training.tune.search import tune as run_search

app = typer.Typer(help="Train and judge the models that the service runs.", no_args_is_help=True, pretty_exceptions_enable=False)

HUB = "hf://"
EMBEDDED_SIZE = 96  # of a head it shows all that a small ViT can use, and two views cost less than one of 160

Manifest = Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")]


@app.callback()
def setup() -> None:
    """Train and judge the models that the service runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()


@app.command()
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
    set_threads(threads)
    recipe = DetectorRecipe(epochs, batch_size, image_size, learning_rate, enc_output_learning_rate, seed=seed)
    folder = run_detector_training(_starting_point(start), people, run_dir, recipe)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate-detector --help")


@app.command()
@expanded
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
    set_threads(threads)
    table = read_manifest(manifest)
    size, _ = check_start(start, image_size, recipe.frozen_layers)
    training = training_crops(photos_of(table, TRAIN), size)
    validation = training_crops(photos_of(table, VAL), size) if VAL in table.splits else None
    taught = read_teacher(teacher, training.photos) if teacher else None
    folder = fine_tune(start, training, run_dir, recipe, validation=validation, teacher=taught)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


@app.command()
@expanded
def tune(
    manifest: Manifest,
    options: TuneOptions,
    run_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of all results; the same command resumes there.")] = "runs/tune",
) -> None:
    """Search hyper-parameters with Ray Tune, and retrain the winner on all photos. Result: RUN_DIR/best.

    Killed at any moment, the same command resumes after the last finished epoch. It runs on the Ray cluster that RAY_ADDRESS names (`ray
    job submit` sets it), or on one of its own. TensorBoard: tensorboard --logdir RUN_DIR/search.
    """
    result = run_search(manifest, run_dir, options)
    typer.echo(f"{result.summary()}\nThe model: {storage.join(run_dir, BEST)}. Next: python -m tune_training evaluate --help")


app.command("run")(expanded(run_command))
app.command("prepare")(prepare_command)
app.command("predict")(predict_command)
app.command("label-noise")(label_noise)
app.command()(evaluate)
app.command()(evaluate_detector)
app.command()(publish)
app.command()(model_card)


def _starting_point(uri: str) -> str:
    """What `from_pretrained` takes; it would look for a mistyped folder on the hub."""
    if uri.startswith(HUB):
        return uri.removeprefix(HUB)
    if not Path(uri).is_dir():
        raise InputError(f"{uri}: there is no such folder. Write a folder with a checkpoint, or {HUB}org/name")
    return uri


# What Typer makes of Ctrl-C, and Ray of SIGTERM, to the exit status that shells give.
_INTERRUPTED = {130: 128 + signal.SIGINT, int(signal.SIGTERM): 128 + signal.SIGTERM}


def main() -> None:
    """Runs a command; an error that the user can mend is a line, not a traceback, and so is an interruption."""
    try:
        app()
    except SystemExit as end:
        if end.code not in _INTERRUPTED:
            raise
        typer.echo("interrupted: run the same command again to go on", err=True)
        raise SystemExit(_INTERRUPTED[end.code]) from end
    except ValidationError as error:  # of a recipe's numbers
        reasons = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SystemExit(f"error: {'; '.join(reasons)}") from error
    except (CheckpointError, DecisionError, InputError, OSError) as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from error

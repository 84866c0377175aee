"""The commands: `python -m tune_training COMMAND --help`."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import CheckpointError
from serve_app.checkpoints.decision import DecisionError
from serve_app.settings import EMBEDDED_DETECTOR
from tune_training.data.labelling import CLOSE_UP_SOURCES
from tune_training.data.prepare import prepare_command
from tune_training.detector.evaluate import evaluate_detector
from tune_training.detector.train import DetectorRecipe
from tune_training.detector.train import train_detector as run_detector_training
from tune_training.evaluate.card import model_card
from tune_training.evaluate.evaluation import evaluate
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, load_detector, set_threads
from tune_training.predict import predict_command
from tune_training.publish import publish
from tune_training.run import run_command
from tune_training.train.model import BOXES_FILE, ClassifierRecipe, with_boxes
from tune_training.train.model import train_classifier as run_classifier_training
from tune_training.train.sampling import read_index
from tune_training.tune.command import tune

app = typer.Typer(help="Train and judge the models that the service runs.", no_args_is_help=True, pretty_exceptions_enable=False)

HUB = "hf://"
EMBEDDED_SIZE = 160  # the training photos have a short side of 112 or 144: it keeps all that they show, at half the cost of 224

Start = Annotated[str, typer.Option(help="Checkpoint to start from: a folder, or hf://org/name.")]
RunDir = Annotated[Path, typer.Option(help="Where the state and the result go; the same command resumes there.")]
CloseUps = Annotated[
    list[str], typer.Option(help="Sources in the index whose photos are faces from edge to edge: their box is the whole photo.")
]
Index = Annotated[Path, typer.Option(help="index.csv with the columns path, split, gender, source.", exists=True, dir_okay=False)]


@app.callback()
def setup() -> None:
    """Train and judge the models that the service runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()


@app.command()
def train_detector(
    start: Start,
    people: Annotated[Path, typer.Option(help="COCO file of the training photos, one category: person.", exists=True, dir_okay=False)],
    run_dir: RunDir = Path("runs/person-detector"),
    portraits: Annotated[Path | None, typer.Option(help="index.csv whose close-ups are added, as people who fill the photo.")] = None,
    close_up_source: CloseUps = CLOSE_UP_SOURCES,
    epochs: Annotated[int, typer.Option(help="Passes over the photos.")] = DetectorRecipe.epochs,
    batch_size: Annotated[int, typer.Option(help="Photos per step.")] = DetectorRecipe.batch_size,
    image_size: Annotated[int, typer.Option(help="Side of the square that photos are resized to, pixels.")] = DetectorRecipe.image_size,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = DetectorRecipe.seed,
    threads: Threads = 0,
) -> None:
    """Fine-tune a DETR-family detector on photos with boxes of people. Result: RUN_DIR/checkpoint."""
    set_threads(threads)
    faces = read_index(portraits, "train") if portraits else []
    close_ups = [face.path for face in faces if face.source in close_up_source]
    recipe = DetectorRecipe(epochs=epochs, batch_size=batch_size, image_size=image_size, seed=seed)
    folder = run_detector_training(_starting_point(start), people, run_dir, recipe, close_ups)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate-detector --help")


@app.command()
def train_classifier(
    start: Start,
    portraits: Index,
    run_dir: RunDir = Path("runs/gender-classifier"),
    detector: Annotated[str, typer.Option(help="URI of the detector that finds the person in each photo.")] = EMBEDDED_DETECTOR,
    close_up_source: CloseUps = CLOSE_UP_SOURCES,
    epochs: Annotated[int, typer.Option(help="Passes of PHOTOS_PER_EPOCH photos.")] = ClassifierRecipe.epochs,
    photos_per_epoch: Annotated[int, typer.Option(help="Photos drawn, with repetition, for an epoch.")] = ClassifierRecipe.photos_per_epoch,
    source_power: Annotated[
        float, typer.Option(help="1: draw from sources by their size; 0: from all alike.")
    ] = ClassifierRecipe.source_power,
    learning_rate: Annotated[float, typer.Option(help="Of the head; lower for the blocks below.")] = ClassifierRecipe.learning_rate,
    batch_size: Annotated[int, typer.Option(help="Photos per step.")] = ClassifierRecipe.batch_size,
    image_size: Annotated[int, typer.Option(help="Side of the square crops, pixels.")] = EMBEDDED_SIZE,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = ClassifierRecipe.seed,
    threads: Threads = 0,
) -> None:
    """Fine-tune a ViT on photos of one person each. Result: RUN_DIR/checkpoint."""
    set_threads(threads)
    people = read_index(portraits, "train")
    close = [person for person in people if person.source in close_up_source]
    loose = [person for person in people if person.source not in close_up_source]
    loose = with_boxes(loose, load_detector(detector, threads), run_dir / BOXES_FILE)
    recipe = ClassifierRecipe(
        epochs=epochs,
        photos_per_epoch=photos_per_epoch,
        source_power=source_power,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
    )
    folder = run_classifier_training(_starting_point(start), close + loose, run_dir, recipe, image_size)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


app.command("run")(run_command)
app.command("prepare")(prepare_command)
app.command("predict")(predict_command)
app.command()(tune)
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


def main() -> None:
    """Runs a command; an error that the user can mend is a line, not a traceback."""
    try:
        app()
    except (CheckpointError, DecisionError, InputError, OSError) as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from error

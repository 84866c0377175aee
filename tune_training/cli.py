"""The commands: `python -m tune_training COMMAND --help`."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import CheckpointError, resolve
from serve_app.classifier import Classifier
from serve_app.decision import DecisionError
from serve_app.detector import Detector
from serve_app.pipeline import Pipeline
from serve_app.runtimes import RunOptions
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, get_settings
from tune_training import evaluate as evaluation
from tune_training.classification_data import LabelledPerson, read_index
from tune_training.detection_data import read_coco
from tune_training.errors import InputError
from tune_training.model_card import CARD_FILE, write_block
from tune_training.train_classifier import BOXES_FILE, ClassifierRecipe, with_boxes
from tune_training.train_classifier import train_classifier as run_classifier_training
from tune_training.train_detector import DetectorRecipe
from tune_training.train_detector import train_detector as run_detector_training
from tune_training.tune_command import tune

app = typer.Typer(help="Train and judge the models that the service runs.", no_args_is_help=True, pretty_exceptions_enable=False)

HUB = "hf://"
PORTRAITS_PER_SOURCE = 300  # of the validation split; nine crops of each are judged
EMBEDDED_SIZE = 160  # the training photos have a short side of 112 or 144: it keeps all that they show, at half the cost of 224
CLOSE_UP_SOURCES = ["utkface", "gender_dataset_face"]

Start = Annotated[str, typer.Option(help="Checkpoint to start from: a folder, or hf://org/name.")]
RunDir = Annotated[Path, typer.Option(help="Where the state and the result go; the same command resumes there.")]
Threads = Annotated[int, typer.Option(help="Threads of torch; 0: one per core.")]
CloseUps = Annotated[
    list[str], typer.Option(help="Sources in the index whose photos are faces from edge to edge: their box is the whole photo.")
]
Index = Annotated[Path, typer.Option(help="index.csv with the columns path, split, gender, source.", exists=True, dir_okay=False)]


app.command()(tune)


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
    _set_threads(threads)
    faces = read_index(portraits, "train") if portraits else []
    close_ups = [face.path for face in faces if face.source in close_up_source]
    recipe = DetectorRecipe(epochs=epochs, batch_size=batch_size, image_size=image_size, seed=seed)
    folder = run_detector_training(_starting_point(start), people, run_dir, recipe, close_ups)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


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
    _set_threads(threads)
    people = read_index(portraits, "train")
    close = [person for person in people if person.source in close_up_source]
    loose = [person for person in people if person.source not in close_up_source]
    loose = with_boxes(loose, _load_detector(detector, threads), run_dir / BOXES_FILE)
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


@app.command()
def evaluate(
    people: Annotated[Path, typer.Option(help="Folder with val.json and test.json (COCO, one category: person).", exists=True)],
    portraits: Index,
    detector: Annotated[str, typer.Option(help="URI of the detector.")] = EMBEDDED_DETECTOR,
    classifier: Annotated[str, typer.Option(help="URI of the classifier.")] = EMBEDDED_CLASSIFIER,
    choose: Annotated[bool, typer.Option(help="First choose decision.json of both on the validation split; both must be folders.")] = False,
    held_out: Annotated[list[str], typer.Option(help="Further splits to report on; never used to fit or choose.")] = ["val_lfw"],  # noqa: B006 - typer copies it
    threads: Threads = 0,
) -> None:
    """Judge both models through the pipeline as served; writes metrics.json beside the weights of folders."""
    _set_threads(threads)
    validation = read_index(portraits, "val")
    if choose:
        _choose(detector, classifier, people, validation, threads)
    finder, judge = _load_detector(detector, threads), _load_classifier(classifier, threads)
    test = read_coco(people / "test.json")
    counts = evaluation.count_metrics(test, evaluation.detections(test, finder), finder.decision)
    typer.echo(f"people counted rightly: {counts['accuracy']:.1%}  by count: {_percentages(counts['accuracy_by_count'])}")
    pipeline = Pipeline(finder, judge, evaluation.decode_limits())
    answers: evaluation.Metrics = {}
    for split in ["test", *held_out]:
        rows = read_index(portraits, split)
        answers[split] = evaluation.answer_metrics(rows, evaluation.outcomes(rows, pipeline))
        for source, metrics in answers[split].items():
            typer.echo(
                f"{split} {source}: answered {metrics['answered']:.1%}, balanced accuracy {metrics.get('balanced_accuracy', 0):.1%},"
                f" recall {_percentages(metrics.get('recall', {}))}, ECE {metrics.get('expected_calibration_error', 0):.3f}"
            )
    evaluation.write_metrics(finder.checkpoint.path, {"person_count": {"test": counts}}, [people.name])
    evaluation.write_metrics(judge.checkpoint.path, {"detector": finder.checkpoint.revision, "answers": answers}, [portraits.parent.name])


@app.command()
def model_card(
    detector: Annotated[Path, typer.Option(help="Folder of the detector.")] = Path(EMBEDDED_DETECTOR),
    classifier: Annotated[Path, typer.Option(help="Folder of the classifier.")] = Path(EMBEDDED_CLASSIFIER),
    readme: Annotated[Path, typer.Option(help="Document that shows the metrics of both.")] = Path("README.md"),
) -> None:
    """Bring the tables between the metrics markers, in both MODEL_CARD.md and in the README, up to date with metrics.json."""
    write_block(detector / CARD_FILE, [detector])
    write_block(classifier / CARD_FILE, [classifier])
    write_block(readme, [detector, classifier])


def _choose(detector: str, classifier: str, people: Path, validation: list[LabelledPerson], threads: int) -> None:
    for uri in (detector, classifier):
        if not Path(uri).is_dir():
            raise InputError(f"{uri}: decision.json is written beside the weights, so this must be a folder")
    floor = {"score_threshold": evaluation.SCORE_FLOOR}
    finder = _load_detector(detector, threads, floor)
    photos = read_coco(people / "val.json")
    portraits = evaluation.sample_by_source(validation, PORTRAITS_PER_SOURCE)
    rule = evaluation.choose_detector_decision(photos, evaluation.detections(photos, finder), evaluation.detections(portraits, finder))
    rule.write(finder.checkpoint.path)
    judge = _load_classifier(classifier, threads)
    evaluation.choose_classifier_decision(portraits, _load_detector(detector, threads), judge).write(judge.checkpoint.path)


def _starting_point(uri: str) -> str:
    """What `from_pretrained` takes; it would look for a mistyped folder on the hub."""
    if uri.startswith(HUB):
        return uri.removeprefix(HUB)
    if not Path(uri).is_dir():
        raise InputError(f"{uri}: there is no such folder. Write a folder with a checkpoint, or {HUB}org/name")
    return uri


def _run_options(threads: int) -> RunOptions:
    """PyTorch always: OpenVINO and training in one process have been seen to crash, and both give the same answers."""
    return RunOptions(get_settings().device, "torch", threads)


def _load_detector(uri: str, threads: int, overrides: dict[str, float] | None = None) -> Detector:
    settings = get_settings()
    return Detector.load(resolve(uri, settings.model_cache_dir), _run_options(threads), overrides)


def _load_classifier(uri: str, threads: int) -> Classifier:
    settings = get_settings()
    return Classifier.load(resolve(uri, settings.model_cache_dir), _run_options(threads))


def _set_threads(threads: int) -> None:
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))


def _percentages(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.1%}" for name, value in values.items())


def main() -> None:
    """Runs a command; an error that the user can mend is a line, not a traceback."""
    try:
        app()
    except (CheckpointError, DecisionError, InputError, OSError) as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from error

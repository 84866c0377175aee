"""The commands: `python -m tune_training COMMAND --help`."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from serve_app.checkpoints import CheckpointError, resolve
from serve_app.classifier import Classifier
from serve_app.decision import DecisionError
from serve_app.detector import Detector
from serve_app.pipeline import Pipeline
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, get_settings
from tune_training import evaluate as evaluation
from tune_training.classification_data import LabelledPerson, read_index
from tune_training.detection_data import read_coco
from tune_training.train_classifier import ClassifierRecipe, with_boxes
from tune_training.train_classifier import train_classifier as run_classifier_training
from tune_training.train_detector import DetectorRecipe
from tune_training.train_detector import train_detector as run_detector_training

app = typer.Typer(help="Train and judge the models that the service runs.", no_args_is_help=True, pretty_exceptions_enable=False)

CLOSE_UP_SOURCES = ["utkface", "gender_dataset_face"]

Start = Annotated[str, typer.Option(help="Checkpoint to start from: a folder, or a name on the Hugging Face hub.")]
RunDir = Annotated[Path, typer.Option(help="Where the state and the result go; the same command resumes there.")]
Threads = Annotated[int, typer.Option(help="Threads of torch; 0: one per core.")]
CloseUps = Annotated[
    list[str], typer.Option(help="Sources in the index whose photos are faces from edge to edge: their box is the whole photo.")
]
Index = Annotated[Path, typer.Option(help="index.csv with the columns path, split, gender, source.", exists=True, dir_okay=False)]


@app.callback()
def setup() -> None:
    """Train and judge the models that the service runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)


@app.command()
def train_detector(
    start: Start,
    people: Annotated[Path, typer.Option(help="COCO file of the training photos, one category: person.", exists=True, dir_okay=False)],
    run_dir: RunDir = Path("runs/person-detector"),
    portraits: Annotated[Path | None, typer.Option(help="index.csv whose close-ups are added, as people who fill the photo.")] = None,
    close_up_source: CloseUps = CLOSE_UP_SOURCES,
    epochs: Annotated[int, typer.Option(help="Passes over the photos.")] = DetectorRecipe.epochs,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = DetectorRecipe.seed,
    threads: Threads = 0,
) -> None:
    """Fine-tune a DETR-family detector on photos with boxes of people. Result: RUN_DIR/checkpoint."""
    _set_threads(threads)
    faces = read_index(portraits, "train") if portraits else []
    close_ups = [face.path for face in faces if face.source in close_up_source]
    folder = run_detector_training(start, people, run_dir, DetectorRecipe(epochs=epochs, seed=seed), close_ups)
    typer.echo(f"Trained: {folder}. Next: python -m tune_training evaluate --help")


@app.command()
def train_classifier(
    start: Start,
    portraits: Index,
    run_dir: RunDir = Path("runs/gender-classifier"),
    detector: Annotated[str, typer.Option(help="URI of the detector that finds the person in each photo.")] = EMBEDDED_DETECTOR,
    close_up_source: CloseUps = CLOSE_UP_SOURCES,
    epochs: Annotated[int, typer.Option(help="Passes of 16,000 drawn photos.")] = ClassifierRecipe.epochs,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = ClassifierRecipe.seed,
    threads: Threads = 0,
) -> None:
    """Fine-tune a ViT on photos of one person each. Result: RUN_DIR/checkpoint."""
    _set_threads(threads)
    people = read_index(portraits, "train")
    close = [person for person in people if person.source in close_up_source]
    loose = [person for person in people if person.source not in close_up_source]
    loose = with_boxes(loose, _load_detector(detector), run_dir / "boxes.json")
    folder = run_classifier_training(start, close + loose, run_dir, ClassifierRecipe(epochs=epochs, seed=seed))
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
        _choose(detector, classifier, people, validation)
    finder, judge = _load_detector(detector), _load_classifier(classifier)
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
    evaluation.write_metrics(
        judge.checkpoint.path, {"detector": finder.checkpoint.revision, "answers": answers}, [portraits.parent.name]
    )


def _choose(detector: str, classifier: str, people: Path, validation: list[LabelledPerson]) -> None:
    floor = {"score_threshold": evaluation.SCORE_FLOOR}
    finder = _load_detector(detector, floor)
    photos = read_coco(people / "val.json")
    by_source = {source: [p for p in validation if p.source == source][:200] for source in sorted({p.source for p in validation})}
    single = [person for part in by_source.values() for person in part]
    rule = evaluation.choose_detector_decision(photos, evaluation.detections(photos, finder), evaluation.detections(single, finder))
    rule.write(finder.checkpoint.path)
    judge = _load_classifier(classifier)
    evaluation.choose_classifier_decision(validation, _load_detector(detector), judge).write(judge.checkpoint.path)


def _load_detector(uri: str, overrides: dict[str, float] | None = None) -> Detector:
    settings = get_settings()
    return Detector.load(resolve(uri, settings.model_cache_dir), settings.device, overrides)


def _load_classifier(uri: str) -> Classifier:
    settings = get_settings()
    return Classifier.load(resolve(uri, settings.model_cache_dir), settings.device)


def _set_threads(threads: int) -> None:
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))


def _percentages(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.1%}" for name, value in values.items())


def main() -> None:
    """Runs a command; an error that the user can mend is a line, not a traceback."""
    try:
        app()
    except (CheckpointError, DecisionError, OSError) as error:
        raise SystemExit(f"error: {error}") from error

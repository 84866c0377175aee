"""Evaluates a classifier behind a detector, through the pipeline as served: `metrics.json`, a report, the card, and `decision.json`.

The temperature, `min_confidence` and the crop are chosen on the split `val`; all else is measured on photos that nothing was fitted to.
"""

import logging
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from serve_app.checkpoints import CARD_FILE, GOLDEN_FILE, METRICS_FILE, resolve
from serve_app.checkpoints.card import weights_sha256
from serve_app.checkpoints.decision import DECISION_FILE, ClassifierDecision
from serve_app.codes import Code
from serve_app.settings import EMBEDDED_DETECTOR, get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.golden import golden_of
from tune_training.data.labelled_photos import read_labelled, sample_by_source
from tune_training.data.manifest import TEST, TRAIN, VAL, Manifest
from tune_training.evaluate.answers import answers_folder, gated, judge
from tune_training.evaluate.card import card_of
from tune_training.evaluate.card_tables import percent_of
from tune_training.evaluate.confidence_choice import ERROR_RATE, calibrated
from tune_training.evaluate.crop_choice import best_crop
from tune_training.evaluate.gallery import GALLERY_FILE, write_gallery
from tune_training.evaluate.metrics_file import Metrics, read_metrics, to_json
from tune_training.evaluate.reference import reference
from tune_training.evaluate.report import write_report
from tune_training.evaluate.scores import DRAWS, Judged
from tune_training.evaluate.split_metrics import split_metrics
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, is_unpublished, load_classifier, load_detector, set_threads

logger = logging.getLogger(__name__)

REPORT_FILE = "report.html"
CROP_CHOICE_PER_SOURCE = 300  # each is classified with nine crops


def evaluate(
    model: Annotated[str, typer.Argument(help="URI of the classifier: a folder, s3://bucket/prefix/ or hf://org/name.")],
    data: Annotated[
        str,
        typer.Argument(
            help="The photos, local or s3://: a manifest of `prepare`, a table with the columns path, label and optionally others, or a"
            " folder with labels in folder or file names."
        ),
    ],
    out: Annotated[str | None, typer.Option(help="Folder or s3:// prefix of metrics.json and report.html; by default the model's.")] = None,
    detector: Annotated[str, typer.Option(help="URI of the detector.")] = EMBEDDED_DETECTOR,
    split: Annotated[
        list[str] | None, typer.Option(help="Splits to report on; by default test, or all splits if there is no test split.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="First fit temperature and min_confidence on val, and write them to decision.json.")
    ] = False,
    choose_crop: Annotated[bool, typer.Option("--choose-crop", help="Before that, choose the crop on val, and write it, too.")] = False,
    by: Annotated[
        list[str] | None, typer.Option(help="Columns to compare groups by; by default the source, and all that make 2 to 20 groups.")
    ] = None,
    error_rate: Annotated[
        float,
        typer.Option(
            help="Share of wrong answers that --calibrate chooses min_confidence for, in every framing and for women and men apart; 0:"
            " every answer is given. Without min_confidence, a threshold for all photos together is reported.",
            min=0,
            max=1,
        ),
    ] = ERROR_RATE,
    gallery: Annotated[
        int, typer.Option(help="Most confident mistakes to show, overall and by group, in OUT/errors.html: a page with photos.", min=0)
    ] = 0,
    threads: Threads = 0,
    draws: Annotated[int, typer.Option(help="Bootstrap draws for the confidence intervals.", min=100)] = DRAWS,
) -> Metrics:
    """Evaluate a classifier through the pipeline as served: metrics.json, report.html and MODEL_CARD.md.

    Answers are cached by pair of models and content of the photo: a stopped run resumes, and a second one is quick. metrics.json and
    MODEL_CARD.md are also written beside the weights, if those are in a folder or prefix and not published yet, and golden.json, with which
    serving checks that it has loaded the model rightly.
    """
    writable = is_unpublished(model)
    if not writable and (calibrate or choose_crop):
        raise InputError(f"{model}: decision.json is written beside the weights, so this must be a folder or prefix that was not published")
    if not writable and out is None:
        raise InputError(f"{model}: nothing is written beside published weights. Name a folder for the report: --out FOLDER")
    if gallery and out is None:
        raise InputError(f"{GALLERY_FILE} shows photos, which are not put beside weights. Name a folder for it: --out FOLDER")
    photos = read_labelled(data)
    folds = _folds(model)
    if folds and (calibrate or choose_crop):
        raise InputError(f"{model}: it was trained on {VAL!r}, too, so nothing can be chosen there. Its folds have chosen the temperature")
    chosen = {name: photos.split(name) for name in split or _reported(photos, bool(folds))}
    set_threads(threads)
    finder, teller = load_detector(detector, threads), load_classifier(model, threads)
    cache = answers_folder()
    if choose_crop:
        decision = best_crop(sample_by_source(photos.split(VAL), CROP_CHOICE_PER_SOURCE), finder, teller)
        teller = _adopt(decision, model, threads)
    if calibrate:
        answered = _validation(photos, finder, teller, cache)
        if answered is None:
            raise InputError(f"{photos.name}: no photo of the split {VAL!r} is answered, so there is nothing to calibrate with")
        teller = _adopt(calibrated(teller.decision, photos.split(VAL), answered, error_rate), model, threads)
    validation = None if folds else _validation(photos, finder, teller, cache)
    judged = {name: judge(rows, finder, teller, cache, f"evaluating {name}") for name, rows in chosen.items()}
    threshold = teller.decision.min_confidence
    metrics: Metrics = {
        "weights_sha256": weights_sha256(teller.checkpoint.path),
        "revision": teller.checkpoint.revision,
        "data": photos.name,
        "detector": finder.checkpoint.revision,
        "temperature": teller.decision.temperature,
        "min_confidence": teller.decision.min_confidence,
        "splits": {name: split_metrics(rows, judged[name], validation, threshold, error_rate, by, draws) for name, rows in chosen.items()},
        **({"reference": reference(validation).model_dump()} if validation else {}),
        **({"folds": folds} if folds else {}),
    }
    _write(metrics, model if writable else None, out or model, teller)
    if gallery and out:
        page = write_gallery({name: (rows, judged[name]) for name, rows in chosen.items()}, gallery, finder, teller, photos.name)
        storage.write_bytes(storage.join(out, GALLERY_FILE), page.encode())
    for name, found in metrics["splits"].items():
        typer.echo(f"{name}: {_summary(found)}")
    typer.echo(f"Report: {storage.join(out or model, REPORT_FILE)}")
    return metrics


def check_answered(data: str, detector: str, split: str = VAL) -> str:
    """Checks, before there is a classifier, that the photos of a split can calibrate or judge it; returns a line that says so.

    Raises:
        InputError: the person rule lets none of them through.
    """
    photos = read_labelled(data).split(split)
    refused: Counter[Code] = Counter()
    for photo, code, _, _ in gated(photos, load_detector(detector, 0)):
        if code is Code.OK:
            return f"{photo.uri} is answered"
        refused[code] += 1
    reasons = ", ".join(f"{code}: {count}" for code, count in refused.most_common())
    raise InputError(
        f"{data}: of the {len(photos)} photos of the split {split!r} none would be answered ({reasons}), so the step `evaluate` could not"
        f" fit the temperature, nor evaluate the model; nothing was trained. The detector {detector} must see exactly one person in some of"
        " them: add such photos, or name another detector with --detector"
    )


def _folds(model: str) -> Metrics:
    """What `train --folds` found out about the classifier; empty for others."""
    folder = resolve(model, get_settings().model_cache_dir).path
    before = read_metrics(folder) if (folder / METRICS_FILE).exists() else {}
    found: Metrics = before.get("folds") or {}
    return found if found and before.get("weights_sha256") == weights_sha256(folder) else {}


def _reported(photos: Manifest, trained_on_val: bool) -> list[str]:
    """The splits to report on if none is asked for."""
    if TEST in photos.splits:
        return [TEST]
    names = sorted(set(photos.splits) - ({TRAIN, VAL} if trained_on_val else set()))
    if not names:
        raise InputError(
            f"{photos.name}: the model was trained on all of these photos, so they cannot judge it. {METRICS_FILE} beside the weights has"
            f" the estimate from its folds. Name photos with a split {TEST!r}"
        )
    return names


def _summary(found: Metrics) -> str:
    parts = [f"{found['photos']} photos", f"answered {found['answered'].value:.1%}"]
    parts += [f"{name.replace('_', ' ')} {percent_of(found[name])}" for name in ("accuracy", "balanced_accuracy", "ece") if name in found]
    return ", ".join(parts)


def _validation(photos: Manifest, detector: Detector, classifier: Classifier, cache: Path) -> Judged | None:
    if VAL not in photos.splits:
        return None
    judged = judge(photos.split(VAL), detector, classifier, cache, f"evaluating {VAL}")
    return judged if judged.answered.any() else None


def _adopt(decision: ClassifierDecision, model: str, threads: int) -> Classifier:
    storage.write_bytes(storage.join(model, DECISION_FILE), decision.to_json().encode())
    logger.info("chosen on %s: %s", VAL, decision)
    return load_classifier(model, threads)


def _write(metrics: Metrics, beside: str | None, out: str, classifier: Classifier) -> None:
    content = to_json(metrics).encode()
    for folder in dict.fromkeys(folder for folder in (out, beside) if folder):
        storage.write_bytes(storage.join(folder, METRICS_FILE), content)
    storage.write_bytes(storage.join(out, REPORT_FILE), write_report(metrics, classifier.checkpoint.name).encode())
    if beside:
        storage.write_bytes(storage.join(beside, GOLDEN_FILE), golden_of(classifier).encode())
        card = storage.join(beside, CARD_FILE)
        text = storage.read_bytes(card).decode() if storage.exists(card) else None
        storage.write_bytes(card, card_of(classifier.checkpoint, metrics, text).encode())

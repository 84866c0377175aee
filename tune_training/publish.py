"""Publishes an evaluated classifier in the layout that serving loads; no reader ever loads a mixture of two models.

    TARGET/                 config.json, model.safetensors, preprocessor_config.json, decision.json, metrics.json, MODEL_CARD.md,
                            manifest.json: the model that was published last
    TARGET/REVISION/        the same files; never changed, so that a replica that starts later loads the same model

Each is written in this order: a `manifest.json` without files, which makes readers refuse the folder; the files; the `manifest.json` with
their sizes and sha256. Readers refuse a model that was published half-way; the same command again completes it.
"""

import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from tqdm import tqdm

from serve_app.checkpoints import CONFIG_FILE, MANIFEST_FILE, Checkpoint, CheckpointError, Manifest, ManifestFile, is_taken, resolve
from serve_app.checkpoints.decision import DECISION_FILE, DecisionError
from serve_app.settings import EMBEDDED_DETECTOR, get_settings
from serve_app.vision.classifier import Classifier
from tune_training.data.labelled_photos import read_labelled
from tune_training.data.manifest import TEST
from tune_training.evaluate.answers import answers_folder, judge
from tune_training.evaluate.card import CARD_FILE
from tune_training.evaluate.comparison import compare, label_groups
from tune_training.evaluate.metrics_file import METRICS_FILE, read_metrics, sha256_of
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import load_classifier, load_detector

logger = logging.getLogger(__name__)

JUDGED = (DECISION_FILE, METRICS_FILE, CARD_FILE)


def publish(
    model: Annotated[str, typer.Argument(help="URI of an evaluated classifier, usually RUN_DIR/best of `tune`.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix/, or a folder.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Photos that the model and the published one are compared on: a manifest, a table or a folder, as in `evaluate`."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="The split of these photos.")] = TEST,
    detector: Annotated[str, typer.Option(help="URI of the detector for both; it should be the one that serves.")] = EMBEDDED_DETECTOR,
    force: Annotated[bool, typer.Option("--force", help="Publish it all the same; manifest.json then says what spoke against it.")] = False,
) -> str:
    """Publish a classifier with its metrics, decision and card, unless it is worse than the one published there.

    Both answer the same photos, through the pipeline as served. The model is refused if its balanced accuracy, its
    recall in its worst group or its calibration error is worse beyond chance; groups are those of a label within an age, a
    race or a framing, where the photos' table has these columns. The files go to TARGET/REVISION, where they stay, and to TARGET. Prints
    the command with which a running service loads the model.
    """
    target = storage.absolute(target)
    checkpoint = resolve(model, get_settings().model_cache_dir)
    _check_judged(checkpoint)
    classifier = load_classifier(model)  # what serving cannot load is not published
    version = storage.join(target, checkpoint.revision)
    manifest = _manifest(checkpoint.path)
    if findings := _findings(classifier, target, data, split, detector, _manifest_at(version, manifest)):
        if not force:
            raise InputError(f"the model is not published at {target}: {'; '.join(findings)}. --force publishes it all the same")
        manifest = manifest.model_copy(update={"forced": tuple(findings)})
    for place in (version, target):
        _put(checkpoint.path, manifest, place)
    uri = f"{version}/"
    typer.echo(f"Published: {uri} (also {target}/, until the next one). A running service loads it with:\n{deploy_command(uri)}")
    return uri


def deploy_command(uri: str) -> str:
    """The shell command with which a running service exchanges its classifier: Serve applies a changed `user_config`."""
    edit = f"/name: GenderClassifier/,/model_uri:/ s|model_uri: .*|model_uri: {uri}|"
    return f"sed -i.bak {shlex.quote(edit)} serve_config.yaml && RAY_AUTH_MODE=token .venv/bin/serve deploy serve_config.yaml"


def _check_judged(checkpoint: Checkpoint) -> None:
    """Checks that there are metrics, and of exactly this revision."""
    missing = [name for name in JUDGED if not (checkpoint.path / name).exists()]
    if missing:
        raise InputError(f"{checkpoint.uri}: it lacks {', '.join(missing)}. Run `evaluate --calibrate` first")
    if read_metrics(checkpoint.path).get("revision") != checkpoint.revision:
        raise InputError(f"{checkpoint.uri}: metrics.json was measured on other weights or with another decision. Run `evaluate` again")


def _findings(classifier: Classifier, target: str, data: str | None, split: str, detector: str, before: Manifest | None) -> list[str]:
    """What speaks against replacing the model at `target` with this one.

    Args:
        before: this revision's manifest, if it was published before: it says what spoke against it then.
    """
    if not any(storage.exists(storage.join(target, name)) for name in (MANIFEST_FILE, CONFIG_FILE)):
        logger.info("no model is published at %s yet that this one could be compared with", target)
        return []
    try:
        published = load_classifier(target)
    except (CheckpointError, DecisionError) as error:
        if before:  # its own publishing was interrupted
            return list(before.forced)
        return [f"it cannot be compared with the one there ({' '.join(str(error).split())})"]
    if published.checkpoint.revision == classifier.checkpoint.revision:
        return []
    if data is None:
        return ["another model is there, and photos to compare them on were not named (--data)"]
    photos = read_labelled(data).split(split)
    finder = load_detector(detector)
    new, old = (
        judge(photos, finder, each, answers_folder(), f"asking {who}")
        for who, each in (("the new model", classifier), ("the published model", published))
    )
    comparisons = compare(new, old, label_groups(photos))
    if not comparisons:
        return [f"none of the {len(photos)} photos of {split} is answered, so it was not compared with the one there"]
    for comparison in comparisons:
        logger.info("%s photos of %s: %s", len(photos), split, comparison)
    return [f"on {len(photos)} photos of {split} it is worse: {each}" for each in comparisons if each.worse]


def _manifest(folder: Path) -> Manifest:
    files = sorted(path for path in folder.iterdir() if is_taken(path.name))
    return Manifest(files={path.name: ManifestFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in files})


def _put(folder: Path, manifest: Manifest, place: str) -> None:
    """Writes the files and then their manifest; does nothing if they are there already."""
    if _manifest_at(place, manifest):
        return
    path = storage.join(place, MANIFEST_FILE)
    storage.write_bytes(path, _content(Manifest(files={})))
    total = sum(file.size for file in manifest.files.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc=f"publishing {place}", disable=None) as bar:
        for name, file in manifest.files.items():
            storage.write_file(storage.join(place, name), folder / name)
            bar.update(file.size)
    storage.write_bytes(path, _content(manifest))


def _manifest_at(place: str, manifest: Manifest) -> Manifest | None:
    """The manifest that is there, if it names the same files and they are there."""
    path = storage.join(place, MANIFEST_FILE)
    if not storage.exists(path):
        return None
    try:
        there = Manifest.model_validate_json(storage.read_bytes(path))
    except ValidationError:
        return None
    sizes: Mapping[str, int] = {file.name: file.size for file in storage.find_files(place)}
    whole = all(sizes.get(name) == file.size for name, file in manifest.files.items())
    return there if whole and there.files == manifest.files else None


def _content(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2) + "\n").encode()

"""Publishes an evaluated classifier in the layout that serving loads; every reader at every moment loads one whole model.

    TARGET/manifest.json         names the revision that was published last, with the sizes and sha256 of its files
    TARGET/REVISION/             config.json, model.safetensors, preprocessor_config.json, decision.json, metrics.json, MODEL_CARD.md,
                                 golden.json, openvino_int8.* where `quantise` made them and, written last, manifest.json

REVISION is a digest of all the files, so it is another one when anything differs, and what it holds is written once: a replica that starts
later loads the same model. The one file that changes is TARGET/manifest.json. It is written last, and only if it is still what the new
model was compared with: of two that publish at once, one is told. Killed at any moment, the same command completes what is there.
"""

import hashlib
import logging
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from tqdm import tqdm

from serve_app.checkpoints import (
    CARD_FILE,
    CONFIG_FILE,
    INT8_FILES,
    MANIFEST_FILE,
    METRICS_FILE,
    Checkpoint,
    CheckpointError,
    Manifest,
    ManifestFile,
    is_taken,
    published_name,
    resolve,
)
from serve_app.checkpoints.card import sha256_of
from serve_app.checkpoints.decision import DECISION_FILE, DecisionError
from serve_app.settings import EMBEDDED_DETECTOR, get_settings
from serve_app.vision.golden import check_golden
from tune_training.data.labelled_photos import read_labelled
from tune_training.data.manifest import TEST
from tune_training.evaluate.metrics_file import INT8, Metrics, read_metrics
from tune_training.io import models, storage
from tune_training.io.errors import InputError
from tune_training.io.shared_folder import ReadFile, SharedFolder, WrittenMeanwhile

if TYPE_CHECKING:
    from serve_app.vision.classifier import Classifier

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
    race or a framing, where the photos' table has these columns. The files go to TARGET/REVISION/, where they stay, and TARGET/ means
    them until the next model is published. Prints the command with which a running service loads the model.
    """
    target = storage.absolute(target)
    checkpoint = resolve(model, get_settings().model_cache_dir)
    if INT8 not in check_judged(checkpoint) and (checkpoint.path / INT8_FILES[0]).exists():
        raise InputError(f"{checkpoint.uri}: its int8 network was not compared with what was evaluated. Run `quantise` again")
    classifier = models.load_classifier(model)  # what serving cannot load, or would find wrong, is not published
    check_golden(classifier)
    files = _files(checkpoint.path)
    revision = published_name(checkpoint.revision, files)
    place = SharedFolder(target)
    latest = place.read(MANIFEST_FILE)
    findings = [] if _published(latest) == revision else _findings(classifier, target, latest, data, split, detector)
    if findings and not force:
        raise InputError(f"the model is not published at {target}: {'; '.join(findings)}. --force publishes it all the same")
    manifest = Manifest(files=files, forced=tuple(findings))
    uri = f"{storage.join(target, revision)}/"
    try:
        _put(checkpoint.path, manifest, target, revision)
        if _published(latest) != revision:
            _point(place, manifest.model_copy(update={"published": revision}), latest)
    except WrittenMeanwhile as error:
        now = _published(place.read(MANIFEST_FILE))
        raise InputError(
            f"somebody else has published to {target} meanwhile, so that it means {now or 'another model'} now, and not {revision}. Publish"
            " again, to compare yours with theirs"
        ) from error
    typer.echo(f"Published: {uri} (also {target}/, until the next one). A running service loads it with:\n{deploy_command(uri)}")
    return uri


def deploy_command(uri: str, config: Path | None = None) -> str:
    """The shell command with which a running service exchanges its classifier: Serve applies a changed `user_config`.

    Args:
        uri: of the classifier.
        config: what the service runs; by default what `make serve` would run here.
    """
    config = config or get_settings().effective_serve_config
    # The classifier's `user_config`: of a deployment of its own, or behind that of the detector.
    edits = [f"/{start}/,/model_uri:/ s|model_uri: .*|model_uri: {uri}|" for start in ("name: GenderClassifier", "^ {10}classifier:")]
    sed = " ".join(f"-e {shlex.quote(edit)}" for edit in edits)
    return f"sed -E -i.bak {sed} {config} && RAY_AUTH_MODE=token .venv/bin/serve deploy {config}"


def check_judged(checkpoint: Checkpoint) -> Metrics:
    """The checkpoint's metrics.

    Raises:
        InputError: there are none, or none of exactly this revision.
    """
    missing = [name for name in JUDGED if not (checkpoint.path / name).exists()]
    if missing:
        raise InputError(f"{checkpoint.uri}: it lacks {', '.join(missing)}. Run `evaluate --calibrate` first")
    metrics = read_metrics(checkpoint.path)
    if metrics.get("revision") != checkpoint.revision:
        raise InputError(f"{checkpoint.uri}: metrics.json was measured on other weights or with another decision. Run `evaluate` again")
    return metrics


def _findings(classifier: "Classifier", target: str, latest: ReadFile | None, data: str | None, split: str, detector: str) -> list[str]:
    """What speaks against replacing the model at `target` with this one."""
    if latest is None and not storage.exists(storage.join(target, CONFIG_FILE)):
        logger.info("no model is published at %s yet that this one could be compared with", target)
        return []
    try:
        published = models.load_classifier(target)
    except (CheckpointError, DecisionError) as error:
        return [f"it cannot be compared with the one there ({' '.join(str(error).split())})"]
    if published.checkpoint.revision == classifier.checkpoint.revision:  # the same answers, evaluated anew
        return []
    if data is None:
        return ["another model is there, and photos to compare them on were not named (--data)"]
    return _compared(classifier, published, data, split, detector)


def _compared(classifier: "Classifier", published: "Classifier", data: str, split: str, detector: str) -> list[str]:
    # SciPy and scikit-learn take seconds, which a first publishing and --help save.
    from tune_training.evaluate.answers import answers_folder, judge
    from tune_training.evaluate.comparison import compare, label_groups

    photos = read_labelled(data).split(split)
    finder = models.load_detector(detector)
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


def _files(folder: Path) -> dict[str, ManifestFile]:
    files = sorted(path for path in folder.iterdir() if is_taken(path.name))
    return {path.name: ManifestFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in files}


def _published(latest: ReadFile | None) -> str | None:
    """The revision that a TARGET/manifest.json names."""
    manifest = _parsed(latest)
    return manifest.published if manifest else None


def _parsed(file: ReadFile | None) -> Manifest | None:
    try:
        return Manifest.model_validate_json(file.content) if file else None
    except ValidationError:
        return None


def _put(folder: Path, manifest: Manifest, target: str, revision: str) -> None:
    """Writes what is missing of TARGET/REVISION/.

    Raises:
        InputError: a file is there that differs from the one of this name.
        WrittenMeanwhile: another process is just writing one of them.
    """
    uri = storage.join(target, revision)
    place = SharedFolder(uri)
    sizes: Mapping[str, int] = {file.name: file.size for file in storage.find_files(uri)}
    if MANIFEST_FILE in sizes and all(sizes.get(name) == file.size for name, file in manifest.files.items()):
        return
    # The configuration last: without it, what is there so far is no checkpoint to any reader.
    names = sorted(manifest.files, key=lambda name: (name == CONFIG_FILE, name))
    total = sum(file.size for file in manifest.files.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc=f"publishing {uri}", disable=None) as bar:
        for name in names:
            if name in sizes or not _created(place, name, folder / name):
                _check_same(place, name, manifest.files[name], uri)
            bar.update(manifest.files[name].size)
    if MANIFEST_FILE not in sizes:
        with suppress(WrittenMeanwhile):  # by another process that publishes the same
            place.replace(MANIFEST_FILE, _content(manifest), None)


def _created(place: SharedFolder, name: str, source: Path) -> bool:
    try:
        place.create(name, source)
    except WrittenMeanwhile:
        return False
    return True


def _check_same(place: SharedFolder, name: str, file: ManifestFile, uri: str) -> None:
    found = place.read(name)
    if found is None:
        raise WrittenMeanwhile(name)
    if hashlib.sha256(found.content).hexdigest() != file.sha256:
        raise InputError(
            f"{uri}: another {name} is there, and what was published is never written again. Delete that folder, then publish again"
        )


def _point(place: SharedFolder, manifest: Manifest, latest: ReadFile | None) -> None:
    """Makes TARGET/ mean another revision."""
    content = _content(manifest)
    try:
        place.replace(MANIFEST_FILE, content, latest)
    except WrittenMeanwhile:
        now = place.read(MANIFEST_FILE)
        if now is None or now.content != content:  # by this call: an answer was lost, and boto3 tried again
            raise


def _content(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2, exclude_none=True) + "\n").encode()

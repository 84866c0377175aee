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
from typing import Annotated, Literal

import typer
from tqdm import tqdm

from serve_app.checkpoints import MANIFEST_FILE, Checkpoint, Manifest, ManifestFile, is_taken, resolve
from serve_app.checkpoints.decision import DECISION_FILE
from serve_app.settings import get_settings
from tune_training.data.manifest import TEST
from tune_training.evaluate.card import CARD_FILE
from tune_training.evaluate.metrics_file import METRICS_FILE, Metrics, parse_metrics, read_metrics, sha256_of
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import load_classifier

logger = logging.getLogger(__name__)

Metric = Literal["balanced_accuracy", "accuracy", "f1", "roc_auc", "answered", "ece"]
LOWER_IS_BETTER: frozenset[Metric] = frozenset({"ece"})
JUDGED = (DECISION_FILE, METRICS_FILE, CARD_FILE)


def publish(
    model: Annotated[str, typer.Argument(help="URI of an evaluated classifier, usually RUN_DIR/best of `tune`.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix/, or a folder.")],
    metric: Annotated[Metric, typer.Option(help="Metric that must not be worse than that of the published model.")] = "balanced_accuracy",
    margin: Annotated[float, typer.Option(help="How much worse it may be: 0.01 is one percentage point.", min=0)] = 0.0,
    split: Annotated[str, typer.Option(help="The split whose metrics are compared.")] = TEST,
    force: Annotated[bool, typer.Option("--force", help="Publish it even if it is worse.")] = False,
) -> str:
    """Publish a classifier with its metrics, decision and card, unless the one published there is better.

    The files go to TARGET/REVISION, where they stay, and to TARGET. Prints the command with which a running service loads the model.
    """
    target = storage.absolute(target)
    checkpoint = resolve(model, get_settings().model_cache_dir)
    metrics = _judged(checkpoint)
    load_classifier(model)  # what serving cannot load is not published
    if not force:
        _check_not_worse(metrics, _published(target), metric, margin, split, target)
    version = storage.join(target, checkpoint.revision)
    manifest = _manifest(checkpoint.path)
    for place in (version, target):
        _put(checkpoint.path, manifest, place)
    uri = f"{version}/"
    typer.echo(f"Published: {uri} (also {target}/, until the next one). A running service loads it with:\n{deploy_command(uri)}")
    return uri


def deploy_command(uri: str) -> str:
    """The shell command with which a running service exchanges its classifier: Serve applies a changed `user_config`."""
    edit = f"/name: GenderClassifier/,/model_uri:/ s|model_uri: .*|model_uri: {uri}|"
    return f"sed -i.bak {shlex.quote(edit)} serve_config.yaml && RAY_AUTH_MODE=token .venv/bin/serve deploy serve_config.yaml"


def _judged(checkpoint: Checkpoint) -> Metrics:
    """The metrics of a checkpoint, if they are of exactly this revision."""
    missing = [name for name in JUDGED if not (checkpoint.path / name).exists()]
    if missing:
        raise InputError(f"{checkpoint.uri}: it lacks {', '.join(missing)}. Run `evaluate --calibrate` first")
    metrics = read_metrics(checkpoint.path)
    if metrics.get("revision") != checkpoint.revision:
        raise InputError(f"{checkpoint.uri}: metrics.json was measured on other weights or with another decision. Run `evaluate` again")
    return metrics


def _published(target: str) -> Metrics | None:
    path = storage.join(target, METRICS_FILE)
    return parse_metrics(storage.read_bytes(path), path) if storage.exists(path) else None


def _check_not_worse(new: Metrics, old: Metrics | None, metric: Metric, margin: float, split: str, target: str) -> None:
    ours = _value(new, metric, split)
    if ours is None:
        raise InputError(f"the model has no {metric} on the split {split!r}. Evaluate it there, or choose others: --metric, --split")
    if old is None:
        logger.info("no model is published at %s yet that this one could be compared with", target)
        return
    theirs = _value(old, metric, split)
    if theirs is None:
        raise InputError(
            f"the model published at {target} has no {metric} on the split {split!r}, so they cannot be compared. --force publishes"
        )
    same = new["splits"][split].get("photos_sha256") == old["splits"][split].get("photos_sha256")
    comparison = f"{metric} {ours:.4f} on {split}, and the one published at {target} {theirs:.4f}" + ("" if same else ", on other photos")
    worse = ours - theirs if metric in LOWER_IS_BETTER else theirs - ours
    if worse > margin:
        raise InputError(f"the model is worse than the one published: it has {comparison}. --margin allows a difference, --force publishes")
    logger.info("the model has %s", comparison)


def _value(metrics: Metrics, metric: Metric, split: str) -> float | None:
    found = metrics.get("splits", {}).get(split, {}).get(metric)
    return None if found is None else float(found["value"])


def _manifest(folder: Path) -> Manifest:
    files = sorted(path for path in folder.iterdir() if is_taken(path.name))
    return Manifest(files={path.name: ManifestFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in files})


def _put(folder: Path, manifest: Manifest, place: str) -> None:
    """Writes the files and then their manifest; does nothing if they are there already."""
    path = storage.join(place, MANIFEST_FILE)
    if _is_there(path, manifest, place):
        return
    storage.write_bytes(path, _content(Manifest(files={})))
    total = sum(file.size for file in manifest.files.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc=f"publishing {place}", disable=None) as bar:
        for name, file in manifest.files.items():
            storage.write_file(storage.join(place, name), folder / name)
            bar.update(file.size)
    storage.write_bytes(path, _content(manifest))


def _is_there(path: str, manifest: Manifest, place: str) -> bool:
    if not storage.exists(path) or storage.read_bytes(path) != _content(manifest):
        return False
    sizes: Mapping[str, int] = {file.name: file.size for file in storage.list_files(place)}
    return all(sizes.get(name) == file.size for name, file in manifest.files.items())


def _content(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2) + "\n").encode()

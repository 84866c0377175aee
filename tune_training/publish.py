"""Publishes a judged classifier in the layout that serving loads, so that no reader ever takes a mixture of two for a model.

    TARGET/                 config.json, model.safetensors, preprocessor_config.json, decision.json, metrics.json, MODEL_CARD.md,
                            manifest.json: the model that was published last
    TARGET/REVISION/        the same files; never written again, so whoever names it has this model, today and when a replica starts later

Both are written in this order: a `manifest.json` that names no file, with which readers refuse whatever else is there; the files; the
`manifest.json` with their sizes and sha256. Whatever is stopped half-way is refused by readers, and mended by the same command again.
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
    model: Annotated[str, typer.Argument(help="URI of the classifier, evaluated: mostly the folder RUN_DIR/best of `tune`.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix/, or a folder.")],
    metric: Annotated[Metric, typer.Option(help="What must not be worse than that of the model published there.")] = "balanced_accuracy",
    margin: Annotated[float, typer.Option(help="How much worse it may be, as a share: 0.01 is one point of percent.", min=0)] = 0.0,
    split: Annotated[str, typer.Option(help="The split of both metrics.json that is compared.")] = TEST,
    force: Annotated[bool, typer.Option("--force", help="Publish it even if it is worse.")] = False,
) -> str:
    """Publish a classifier with its metrics, decision and card, unless the one published there is better.

    The files go to TARGET and, to stay, to TARGET/REVISION. Prints the line that makes the running service take it up.
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
    typer.echo(f"Published: {uri} (also {target}/, until the next one). The running service takes it up with:\n{take_up_line(uri)}")
    return uri


def take_up_line(uri: str) -> str:
    """The shell command that makes the running service exchange its classifier: Serve acts on a `user_config` that has changed."""
    edit = f"/name: GenderClassifier/,/model_uri:/ s|model_uri: .*|model_uri: {uri}|"
    return f"sed -i.bak {shlex.quote(edit)} serve_config.yaml && RAY_AUTH_MODE=token .venv/bin/serve deploy serve_config.yaml"


def _judged(checkpoint: Checkpoint) -> Metrics:
    """Its metrics, if they are of exactly this checkpoint."""
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
        logger.info("nothing was published at %s that this model could be compared with", target)
        return
    theirs = _value(old, metric, split)
    if theirs is None:
        raise InputError(
            f"the model published at {target} has no {metric} on the split {split!r}, so nobody can say which is better. --force publishes"
        )
    same = new["splits"][split].get("photos_sha256") == old["splits"][split].get("photos_sha256")
    comparison = f"{metric} {ours:.4f} on {split}, and the one published at {target} {theirs:.4f}" + ("" if same else ", on other photos")
    worse = ours - theirs if metric in LOWER_IS_BETTER else theirs - ours
    if worse > margin:
        raise InputError(f"the model is worse than the one published: it has {comparison}. --margin allows more, --force publishes")
    logger.info("the model has %s", comparison)


def _value(metrics: Metrics, metric: Metric, split: str) -> float | None:
    found = metrics.get("splits", {}).get(split, {}).get(metric)
    return None if found is None else float(found["value"])


def _manifest(folder: Path) -> Manifest:
    files = sorted(path for path in folder.iterdir() if is_taken(path.name))
    return Manifest(files={path.name: ManifestFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in files})


def _put(folder: Path, manifest: Manifest, place: str) -> None:
    """Writes the files and then their manifest; does nothing where that is there already."""
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

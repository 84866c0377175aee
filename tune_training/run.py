"""All steps in one command: prepare, tune, evaluate, publish. A step whose result for the same inputs is there is skipped.

WORK_DIR/data/      the manifest and the data report
WORK_DIR/tune/      the search; tune/best/ is the model, with its metrics, report and card. After `--refresh`: tune-2/ and so on
WORK_DIR/run.json   the inputs and the result of each finished step

The manifest is frozen: photos that come while a search lasts, or between a kill and the next start, do not make another search of it.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from serve_app.checkpoints import CONFIG_FILE, MANIFEST_FILE, CheckpointError
from serve_app.checkpoints.decision import DecisionError
from tune_training.data.manifest import TEST, TRAIN, VAL, Manifest, read_manifest
from tune_training.data.prepare import MANIFEST, PrepareOptions, prepare
from tune_training.evaluate.evaluation import REPORT_FILE, check_answered, evaluate
from tune_training.io import storage
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.models import load_classifier
from tune_training.publish import publish
from tune_training.tune.options import TuneOptions
from tune_training.tune.result import BEST
from tune_training.tune.search import tune
from tune_training.tune.tracker import check_reachable

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"


def run(
    source: str, work_dir: str, preparing: PrepareOptions, tuning: TuneOptions, publish_to: str | None = None, refresh: bool = False
) -> str:
    """From photos to a judged and, on request, published model. The same call resumes wherever the last one was stopped.

    Args:
        source: folder or s3:// prefix of the photos.
        work_dir: folder or s3:// prefix of all results.
        preparing: how the photos are checked.
        tuning: how hyper-parameters are searched.
        publish_to: folder or s3:// prefix that serving loads from; None: nothing is published.
        refresh: look at the photos again, and search anew if those of train or val have changed.

    Returns:
        URI of the model: the published one, or the folder of the search.

    Raises:
        InputError: something is wrong with the input; what comes after the search would fail; or `work_dir` holds a manifest or a search of
            other photos or settings.
    """
    source, work_dir = storage.absolute(source), storage.absolute(work_dir)
    publish_to = publish_to and storage.absolute(publish_to)
    if publish_to is not None:
        storage.check_writable(publish_to)  # hours of search would come before the first upload
    check_reachable(tuning.tracker)  # and hours of photos before the search
    data = storage.join(work_dir, "data")
    manifest = storage.join(data, MANIFEST)
    steps = _Steps(storage.join(work_dir, RUN_FILE))
    steps.freeze(source, data, preparing, refresh)
    content = hashlib.sha256(storage.read_bytes(manifest)).hexdigest()
    table, detector = read_manifest(manifest), preparing.detector
    steps.once("check", (content, detector, publish_to), lambda: _check(manifest, table, detector, publish_to))
    search = storage.join(work_dir, steps.search_of(table))
    model = storage.join(search, BEST)
    result = tune(manifest, search, tuning)  # knows itself what is done

    def judge() -> str:
        return str(evaluate(model, manifest, detector=detector, calibrate=True))

    judged = steps.once("evaluate", (asdict(result), content, detector), judge)
    logger.info("the report: %s", storage.join(model, REPORT_FILE))
    if publish_to is None:
        return model
    return steps.once("publish", (judged, publish_to), lambda: publish(model, publish_to, manifest, detector=detector))


def _check(manifest: str, table: Manifest, detector: str, publish_to: str | None) -> str:
    """Checks, before the search, what the steps after it would refuse."""
    from tune_training.train.fine_tune import photos_of  # takes seconds, which `--help` and mistakes save

    for split in (TRAIN, VAL) if publish_to is None else (TRAIN, VAL, TEST):
        try:
            photos_of(table, split)
        except InputError as error:
            raise InputError(f"{error}. This needs both labels in each split: add photos, or see --val-share and --test-share") from error
        if split != TRAIN:
            check_answered(manifest, detector, split)
    if publish_to is not None and any(storage.exists(storage.join(publish_to, name)) for name in (MANIFEST_FILE, CONFIG_FILE)):
        try:
            load_classifier(publish_to)
        except (CheckpointError, DecisionError) as error:
            raise InputError(f"`publish` could not compare with the model that is there, so nothing is searched: {error}") from error
    return "all splits can be judged"


class _Steps:
    """The finished steps and their inputs, in a file that is written after each step."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._done: dict[str, dict[str, str]] = json.loads(storage.read_bytes(uri)) if storage.exists(uri) else {}

    def once(self, name: str, inputs: object, step: Callable[[], str]) -> str:
        """The step's result for these inputs; the step runs unless it is known."""
        digest = _digest(inputs)
        known = self._done.get(name)
        if known is None or known["inputs"] != digest:
            logger.info("%s", name)
            self._record(name, {"inputs": digest, "result": step()})
        else:
            logger.info("%s: done before", name)
        return self._done[name]["result"]

    def freeze(self, source: str, data: str, options: PrepareOptions, refresh: bool) -> None:
        """Makes the manifest, unless there is one.

        Raises:
            InputError: it is of another source, or was made with other options.
        """
        manifest = storage.join(data, MANIFEST)
        listed = storage.list_files(source)
        files = {"count": str(len(listed)), "files": _digest([(file.name, file.size, file.version) for file in listed])}
        asked: dict[str, Any] = {"source": source, **asdict(options)}
        del asked["engine"]  # has no part in the result
        tables = [table for table in (options.table, options.corrections) if table]
        asked |= {table: hashlib.sha256(storage.read_bytes(table)).hexdigest() for table in tables}
        known = self._done.get("prepare", {})
        frozen = "asked" in known and storage.exists(manifest)
        if frozen and not refresh:
            before = json.loads(known["asked"])
            if changed := sorted(name for name in {*before, *asked} if before.get(name) != asked.get(name)):
                raise InputError(
                    f"{data} was made otherwise: {', '.join(changed)} changed. Go on as before, or make a new one with --refresh"
                )
            logger.info("prepare: done before")
            if known["files"] != files["files"]:
                logger.info(
                    "%s has changed since the manifest was made (%s files then, %s now), and the manifest stays; --refresh makes a new one",
                    *(source, known["count"], files["count"]),
                )
            return
        before_it = read_manifest(manifest) if frozen else None
        logger.info("prepare")
        try:
            prepared = prepare(source, data, options)
        except Incomplete:
            self._done.pop("prepare", None)  # its manifest is there without photos that could not be read, and is not to stay
            self._write()
            raise
        if before_it:
            logger.info("the new manifest: %s", _changes(before_it, prepared.manifest))
        self._record("prepare", {"asked": json.dumps(asked), "result": prepared.summary(), **files})

    def search_of(self, table: Manifest) -> str:
        """The folder of the search over these photos of train and val; each manifest with others gets one of its own."""
        names = self._done.get("searches", {})
        digest = _digest([photo for photo in table.photos if photo.split in (TRAIN, VAL)])
        if digest not in names:
            self._record("searches", {**names, digest: f"tune-{len(names) + 1}" if names else "tune"})
        return self._done["searches"][digest]

    def _record(self, name: str, facts: dict[str, str]) -> None:
        self._done[name] = facts
        self._write()

    def _write(self) -> None:
        storage.write_bytes(self._uri, json.dumps(self._done, indent=2).encode())


def _digest(inputs: object) -> str:
    return hashlib.sha256(repr(inputs).encode()).hexdigest()


def _changes(before: Manifest, after: Manifest) -> str:
    old, new = ({photo.name: photo for photo in manifest.photos} for manifest in (before, after))
    changed = sum(new[name] != photo for name, photo in old.items() if name in new)
    return f"{len(new.keys() - old.keys())} photos added, {len(old.keys() - new.keys())} gone, {changed} changed"


def run_command(
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix/ of the photos.")],
    preparing: PrepareOptions,
    tuning: TuneOptions,
    work_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of the results; the same command resumes there.")] = "runs/run",
    publish_to: Annotated[str | None, typer.Option("--publish", help="s3://bucket/prefix/ or folder that serving loads from.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take up photos and options that have changed since the manifest was made.")
    ] = False,
) -> None:
    """Prepare, tune, evaluate and, with --publish, publish: photos in, a judged model out.

    Each step is skipped where its result for the same inputs is there, so the same command resumes after a kill at any moment; photos that
    have come since then wait for --refresh. Runs on the Ray cluster that RAY_ADDRESS names (`ray job submit` sets it) or on one of its own.
    """
    typer.echo(f"The model: {run(source, work_dir, preparing, tuning, publish_to, refresh)}")

"""The whole way in one command: prepare, tune, evaluate, publish. What is there for the same inputs is not done again.

WORK_DIR/data/      the manifest and the data report
tune/      the search; tune/best/ is the model, with its metrics, report and card
run.json   what the steps that are done were done with
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from serve_app.settings import EMBEDDED_DETECTOR
from tune_training.data.labelling import CLOSE_UP_SOURCES
from tune_training.data.prepare import MANIFEST, PrepareOptions, prepare
from tune_training.evaluate.evaluation import REPORT_FILE, check_answered, evaluate
from tune_training.io import storage
from tune_training.publish import publish
from tune_training.tune.command import Cpus, Gpus, ImageSize, MethodOption, MetricOption, Minutes, Seed, SpaceFile, Start, Subset, Trials
from tune_training.tune.schedulers import Method
from tune_training.tune.search import BEST, DEFAULT_START, TuneOptions, tune
from tune_training.tune.space import DEFAULT_SPACE

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"


def run(source: str, work_dir: str, preparing: PrepareOptions, tuning: TuneOptions, publish_to: str | None = None) -> str:
    """From photos to a judged model, and where asked to a published one. The same call goes on wherever the last one was stopped.

    Args:
        source: folder or s3:// prefix of the photos.
        work_dir: folder or s3:// prefix of all that comes of it.
        preparing: how the photos are checked.
        tuning: how hyper-parameters are searched.
        publish_to: folder or s3:// prefix that serving loads from; None: nothing is published.

    Returns:
        URI of the model: the published one, or the folder of the search.

    Raises:
        InputError: something is wrong with what was given; no photo of val could be answered; or `work_dir` holds a search of other photos
            or settings.
    """
    source, work_dir = storage.absolute(source), storage.absolute(work_dir)
    if publish_to is not None:
        storage.check_writable(storage.absolute(publish_to))  # hours of search would come before the first upload
    data, search = storage.join(work_dir, "data"), storage.join(work_dir, "tune")
    manifest, model = storage.join(data, MANIFEST), storage.join(search, BEST)
    files = [(file.name, file.size, file.version) for file in storage.list_files(source)]
    steps = _Steps(storage.join(work_dir, RUN_FILE))
    steps.once("prepare", (source, files, asdict(preparing)), lambda: prepare(source, data, preparing).summary())
    content = hashlib.sha256(storage.read_bytes(manifest)).hexdigest()
    steps.once("check", (content, preparing.detector), lambda: check_answered(manifest, preparing.detector))
    result = tune(manifest, search, tuning)  # knows itself what is done

    def judge() -> str:
        return str(evaluate(model, manifest, detector=preparing.detector, calibrate=True))

    judged = steps.once("evaluate", (asdict(result), preparing.detector), judge)
    if publish_to is None:
        return model
    return steps.once("publish", (judged, publish_to), lambda: publish(model, publish_to))


class _Steps:
    """Which steps are done, and with which inputs: a file that is written after each."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._done: dict[str, dict[str, str]] = json.loads(storage.read_bytes(uri)) if storage.exists(uri) else {}

    def once(self, name: str, inputs: object, step: Callable[[], str]) -> str:
        """What the step gave for these inputs; it is done if that is not known yet."""
        digest = hashlib.sha256(repr(inputs).encode()).hexdigest()
        known = self._done.get(name)
        if known is None or known["inputs"] != digest:
            logger.info("%s", name)
            self._done[name] = {"inputs": digest, "result": step()}
            storage.write_bytes(self._uri, json.dumps(self._done, indent=2).encode())
        else:
            logger.info("%s: done before", name)
        return self._done[name]["result"]


def run_command(
    source: Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix/ of the photos.")],
    work_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of the results; the same command goes on there.")] = "runs/run",
    publish_to: Annotated[str | None, typer.Option("--publish", help="s3://bucket/prefix/ or folder that serving loads from.")] = None,
    labels: Annotated[str | None, typer.Option(help="Table with the labels, see `prepare`.")] = None,
    close_up_source: Annotated[
        list[str] | None, typer.Option(help="Sources whose photos are faces from edge to edge, see `prepare`.")
    ] = None,
    detector: Annotated[str, typer.Option(help="URI of the detector of people.")] = EMBEDDED_DETECTOR,
    space: SpaceFile = DEFAULT_SPACE,
    start: Start = DEFAULT_START,
    image_size: ImageSize = 0,
    trials: Trials = TuneOptions.trials,
    method: MethodOption = Method.ASHA,
    metric: MetricOption = TuneOptions.metric,
    subset: Subset = 0,
    minutes: Minutes = 0,
    cpus_per_trial: Cpus = TuneOptions.cpus_per_trial,
    gpus_per_trial: Gpus = TuneOptions.gpus_per_trial,
    seed: Seed = 0,
) -> None:
    """Prepare, tune, evaluate and, with --publish, publish: photos in, a judged model out.

    Each step is skipped where its result for the same inputs is there, so the same command goes on after a kill at any moment. Runs on the
    Ray cluster that RAY_ADDRESS names (`ray job submit` sets it) or on one of its own.
    """
    preparing = PrepareOptions(labels=labels, close_up_sources=close_up_source or CLOSE_UP_SOURCES, detector=detector, seed=seed)
    tuning = TuneOptions(
        space=space,
        start=start,
        image_size=image_size,
        trials=trials,
        method=method,
        metric=metric,
        subset=subset,
        seed=seed,
        time_budget_s=minutes * 60,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
    )
    model = run(source, work_dir, preparing, tuning, publish_to)
    typer.echo(f"The model: {model}. Its report: {storage.join(storage.join(work_dir, 'tune'), f'{BEST}/{REPORT_FILE}')}")

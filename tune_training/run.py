"""All steps in one command: prepare, tune, evaluate, publish. A step whose result for the same inputs is there is skipped.

WORK_DIR/data/      the manifest and the data report
WORK_DIR/tune/      the search; tune/best/ is the model, with its metrics, report and card
WORK_DIR/run.json   the inputs and the result of each finished step
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from tune_training.data.prepare import MANIFEST, PrepareOptions, prepare
from tune_training.evaluate.evaluation import REPORT_FILE, check_answered, evaluate
from tune_training.io import storage
from tune_training.publish import publish
from tune_training.tune.options import TuneOptions
from tune_training.tune.result import BEST
from tune_training.tune.search import tune

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"


def run(source: str, work_dir: str, preparing: PrepareOptions, tuning: TuneOptions, publish_to: str | None = None) -> str:
    """From photos to a judged and, on request, published model. The same call resumes wherever the last one was stopped.

    Args:
        source: folder or s3:// prefix of the photos.
        work_dir: folder or s3:// prefix of all results.
        preparing: how the photos are checked.
        tuning: how hyper-parameters are searched.
        publish_to: folder or s3:// prefix that serving loads from; None: nothing is published.

    Returns:
        URI of the model: the published one, or the folder of the search.

    Raises:
        InputError: something is wrong with the input; no photo of val would be answered; or `work_dir` holds a search of other photos or
            settings.
    """
    source, work_dir = storage.absolute(source), storage.absolute(work_dir)
    if publish_to is not None:
        storage.check_writable(storage.absolute(publish_to))  # hours of search would come before the first upload
    data, search = storage.join(work_dir, "data"), storage.join(work_dir, "tune")
    manifest, model = storage.join(data, MANIFEST), storage.join(search, BEST)
    files = [(file.name, file.size, file.version) for file in storage.list_files(source)]
    steps = _Steps(storage.join(work_dir, RUN_FILE))
    tables = [storage.read_bytes(table) for table in (preparing.labels, preparing.corrections) if table]
    steps.once("prepare", (source, files, tables, asdict(preparing)), lambda: prepare(source, data, preparing).summary())
    content = hashlib.sha256(storage.read_bytes(manifest)).hexdigest()
    steps.once("check", (content, preparing.detector), lambda: check_answered(manifest, preparing.detector))
    result = tune(manifest, search, tuning)  # knows itself what is done

    def judge() -> str:
        return str(evaluate(model, manifest, detector=preparing.detector, calibrate=True))

    judged = steps.once("evaluate", (asdict(result), preparing.detector), judge)
    if publish_to is None:
        return model
    return steps.once("publish", (judged, publish_to), lambda: publish(model, publish_to, manifest, detector=preparing.detector))


class _Steps:
    """The finished steps and their inputs, in a file that is written after each step."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._done: dict[str, dict[str, str]] = json.loads(storage.read_bytes(uri)) if storage.exists(uri) else {}

    def once(self, name: str, inputs: object, step: Callable[[], str]) -> str:
        """The step's result for these inputs; the step runs unless it is known."""
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
    preparing: PrepareOptions,
    tuning: TuneOptions,
    work_dir: Annotated[str, typer.Option(help="Folder or s3:// prefix of the results; the same command resumes there.")] = "runs/run",
    publish_to: Annotated[str | None, typer.Option("--publish", help="s3://bucket/prefix/ or folder that serving loads from.")] = None,
) -> None:
    """Prepare, tune, evaluate and, with --publish, publish: photos in, a judged model out.

    Each step is skipped where its result for the same inputs is there, so the same command resumes after a kill at any moment. Runs on the
    Ray cluster that RAY_ADDRESS names (`ray job submit` sets it) or on one of its own.
    """
    model = run(source, work_dir, preparing, tuning, publish_to)
    typer.echo(f"The model: {model}. Its report: {storage.join(storage.join(work_dir, 'tune'), f'{BEST}/{REPORT_FILE}')}")

"""Runs a training in several processes of this machine at once, with Ray Train: one for each GPU, or a few for its processors.

Each process runs `fine_tune`, whose loop shares the batches out and averages the gradients (see `distributed`). If one dies, Ray Train
starts all of them again, and they resume after the last epoch that the first has written. All are on the machine of the command, which has
the folder of the run; several machines would need a folder that all of them see.
"""

import logging
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, Result, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer
from ray.util.queue import Empty, Queue
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import CheckpointError
from serve_app.settings import cores
from tune_training.io import storage
from tune_training.io.cluster import ray_cluster
from tune_training.io.errors import InputError
from tune_training.io.models import set_threads
from tune_training.train.crops import training_crops
from tune_training.train.distributed import processes, rank
from tune_training.train.fine_tune import CHECKPOINT_FOLDER
from tune_training.train.training import Training, run_training

MAX_FAILURES = 3  # of any worker; each time all resume after the last epoch
LINES_S = 0.5  # between two looks at whether the training has ended


def run_workers(asked: Training, workers: int) -> Path:
    """Trains in so many processes together; returns the checkpoint's folder.

    Args:
        asked: what to train.
        workers: at most one for each GPU of this machine, or, if it has none, for each processor.

    Raises:
        InputError: there are too few of these, see `fine_tune`, or workers have died too often.
    """
    start = asked.start if "://" in asked.start else storage.absolute(asked.start)
    teacher = asked.teacher and asked.teacher.absolute()
    asked = replace(asked, start=start, run_dir=asked.run_dir.absolute(), teacher=teacher)  # the workers are in another folder
    with ray_cluster(), tempfile.TemporaryDirectory() as records:
        scaling = _scaling(workers)
        for photos in filter(None, (asked.training, asked.validation)):
            training_crops(photos, asked.image_size)  # with a progress bar; the workers find them in the cache
        lines = Queue(actor_options={"num_cpus": 0})
        trainer = TorchTrainer(
            train_worker,  # type: ignore[arg-type] # Ray Train is typed as its first version, and is the second
            train_loop_config={"asked": asked, "lines": lines},
            scaling_config=scaling,
            run_config=RunConfig(storage_path=records, failure_config=FailureConfig(max_failures=MAX_FAILURES)),
        )
        try:
            refusal = _result(trainer, lines).return_value  # type: ignore[attr-defined] # likewise
        except TrainingFailedError as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                f"workers failed {MAX_FAILURES + 1} times ({reason}). The same command goes on after the last epoch"
            ) from error
        finally:
            lines.shutdown(force=True)
    if refusal:
        raise InputError(refusal)
    return asked.run_dir / CHECKPOINT_FOLDER


def train_worker(config: dict[str, Any]) -> str:
    """What a worker does. Returns what the user can mend, which to try again would not help: all workers come to the same."""
    asked: Training = config["asked"]
    transformers_logging.disable_progress_bar()
    set_threads(asked.threads or max(1, cores() // processes()))
    if rank() == 0:
        logger = logging.getLogger("tune_training")
        logger.setLevel(logging.INFO)
        logger.addHandler(QueueHandler(config["lines"]))
    try:
        run_training(asked)
    except (CheckpointError, InputError, FloatingPointError) as error:
        return str(error)
    return ""


def _scaling(workers: int) -> ScalingConfig:
    here = ray.get_runtime_context().get_node_id()
    resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == here)
    kind = "GPU" if resources.get("GPU") else "CPU"
    if workers > resources.get(kind, 0):
        raise InputError(f"{workers} workers need as many {kind}s, and this machine has {resources.get(kind, 0):g}")
    return ScalingConfig(num_workers=workers, use_gpu=kind == "GPU", label_selector={"ray.io/node-id": here})  # type: ignore[call-arg] # likewise


def _result(trainer: TorchTrainer, lines: Queue) -> Result:
    """Waits for the training, and logs here what the first worker logs.

    The trainer runs in a thread, where it leaves the signals alone: Ctrl-C ends the command, and not with the exit status 0.
    """
    outcome: Future[Result] = Future()

    def fit() -> None:
        try:
            outcome.set_result(trainer.fit())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=fit, daemon=True).start()
    while not outcome.done() or not lines.empty():
        with suppress(Empty):
            record = lines.get(timeout=LINES_S)
            logging.getLogger(record.name).handle(record)
    return outcome.result()

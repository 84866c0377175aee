"""Which experiment tracker is told of a search, besides TensorBoard, and whether it listens.

A tracker's settings are its own variables of the environment (MLFLOW_TRACKING_URI, WANDB_API_KEY, ...). They hold secrets: nothing here
writes them anywhere, nor puts them into a message.
"""

import importlib.util
import json
import logging
import os
from enum import StrEnum
from typing import TYPE_CHECKING

from tune_training.io import storage
from tune_training.io.errors import InputError

if TYPE_CHECKING:
    from ray.tune.logger import LoggerCallback

PROJECT = "gender-presentation"  # MLflow's experiment or the project at Weights & Biases, where their variables name none
_PREFIXES = ("MLFLOW_", "WANDB_")  # of all those variables
# MLflow's own values let a server that is gone hold up a call for four minutes; and its statistics of use are for who asks for them.
_MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Tracker(StrEnum):
    """A tracker that Ray has a callback for."""

    MLFLOW = "mlflow"
    WANDB = "wandb"


# What to install; without the server's parts, MLflow is a third of the size.
_PACKAGES = {Tracker.MLFLOW: "mlflow-skinny", Tracker.WANDB: "wandb"}
_WHERE = {Tracker.MLFLOW: "MLFLOW_TRACKING_URI", Tracker.WANDB: "WANDB_API_KEY and WANDB_BASE_URL"}


def check_installed(tracker: Tracker | None) -> None:
    """Raises an InputError if the tracker's library is not there; imports nothing."""
    if tracker and importlib.util.find_spec(tracker.value) is None:
        raise InputError(f"--tracker {tracker} needs a library that is not installed: .venv/bin/pip install {_PACKAGES[tracker]}")


def check_reachable(tracker: Tracker | None) -> None:
    """Asks the tracker for the place where runs will be kept, as the search is going to; a minute at most.

    Raises:
        InputError: it does not answer, or does not let us in.
    """
    if tracker is None:
        return
    check_installed(tracker)
    try:
        logger_of(tracker, "", "").setup()
        if tracker is Tracker.WANDB:
            _log_in()
    except Exception as error:  # of the library, of what it connects with, or of the callback
        raise InputError(
            f"--tracker {tracker}: it cannot be used ({in_a_line(error)}). See {_WHERE[tracker]}, or leave the option out"
        ) from error


def _log_in() -> None:
    import wandb

    if os.environ.get("WANDB_MODE") not in ("offline", "disabled") and not wandb.login(prompt=False):
        raise InputError("there is no key")


def logger_of(tracker: Tracker, run_dir: str, part: str) -> "LoggerCallback":
    """The callback of Ray for this tracker.

    Args:
        run_dir: of the search, for people and to find its runs again.
        part: of the search, a folder in `run_dir`.
    """
    if tracker is Tracker.MLFLOW:
        for name, value in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # what it tries again is told once, by us
        from tune_training.tune.mlflow_runs import MLflowRuns

        return MLflowRuns(PROJECT, run_dir, part)
    from tune_training.tune.wandb_runs import WandbRuns

    return WandbRuns(PROJECT, run_dir, part)


def in_a_line(error: Exception) -> str:
    """The error's message, without anything that the tracker's variables hold."""
    text = " ".join(str(error).split()) or type(error).__name__
    for name, value in os.environ.items():
        if name.startswith(_PREFIXES) and len(value) > 3:  # not a number or a switch
            text = text.replace(value, f"${name}")
    return text


def choose(uri: str, tracker: Tracker | None) -> None:
    """Writes the choice beside the search: a search that is resumed may have another one than it began with."""
    storage.write_bytes(uri, json.dumps({"tracker": tracker}).encode())


def chosen(uri: str) -> Tracker | None:
    """What `choose` wrote last."""
    name = json.loads(storage.read_bytes(uri))["tracker"] if storage.exists(uri) else None
    return Tracker(name) if name else None

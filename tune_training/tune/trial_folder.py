"""A trial's durable folder, local or in S3: what it has reported, the state to resume from, and its best model so far.

    trial.json    configuration and metrics of each epoch; names the two others
    state-3.pt    the training state after the last epoch, until the trial has ended
    model-2/      the checkpoint of the best epoch

New files get new names, and trial.json is replaced, atomically, when they are whole: a kill at any moment leaves the previous epoch valid.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tune_training.io import storage
from tune_training.train.fine_tune import CHECKPOINT_FOLDER
from tune_training.train.loop import STATE_FILE

RECORD_FILE = "trial.json"
_STATE, _MODEL = "state-", "model-"


@dataclass(frozen=True)
class TrialRecord:
    """What trial.json says.

    Attributes:
        config: the trial's configuration.
        history: the metrics reported for each epoch.
        best: number of the epoch whose model is kept, from 1.
        ended: finished or stopped early: there is no state to resume from.
    """

    config: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    best: int
    ended: bool = False

    @property
    def state(self) -> str:
        """Name of the state's file."""
        return f"{_STATE}{len(self.history)}.pt"

    @property
    def model(self) -> str:
        """Name of the best model's folder."""
        return f"{_MODEL}{self.best}"


def read_trial(uri: str) -> TrialRecord | None:
    """The record in a trial's folder; None before its first epoch."""
    file = storage.join(uri, RECORD_FILE)
    return TrialRecord(**json.loads(storage.read_bytes(file))) if storage.exists(file) else None


def write_epoch(uri: str, record: TrialRecord, run_dir: Path) -> None:
    """Stores the last epoch of `record`, whose state and checkpoint are in `run_dir` (see `fine_tune`)."""
    storage.write_file(storage.join(uri, record.state), run_dir / STATE_FILE)
    if record.best == len(record.history):
        for file in sorted((run_dir / CHECKPOINT_FOLDER).iterdir()):
            storage.write_file(storage.join(uri, f"{record.model}/{file.name}"), file)
    _write(uri, record)


def read_state(uri: str, record: TrialRecord, run_dir: Path) -> None:
    """Copies the state into `run_dir`, where `fine_tune` resumes from it."""
    storage.write_bytes(str(run_dir / STATE_FILE), storage.read_bytes(storage.join(uri, record.state)))


def end_trial(uri: str) -> None:
    """Deletes the state, most of the folder's bytes, of a trial that has ended; its best model stays."""
    record = read_trial(uri)
    if record and not record.ended:
        _write(uri, replace(record, ended=True))


def _write(uri: str, record: TrialRecord) -> None:
    storage.write_bytes(storage.join(uri, RECORD_FILE), json.dumps(asdict(record)).encode())
    for partial in [] if storage.is_s3(uri) else Path(uri).glob(f".{_STATE}*"):  # a kill left it
        partial.unlink(missing_ok=True)
    kept = {record.model} if record.ended else {record.model, record.state}
    for name in {file.name.partition("/")[0] for file in storage.find_files(uri)} - kept:
        if name.startswith(_STATE):
            storage.delete(storage.join(uri, name))
        elif name.startswith(_MODEL):
            storage.delete_folder(storage.join(uri, name))

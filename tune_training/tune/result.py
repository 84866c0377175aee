"""What a search came to: `result.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from tune_training.io import storage

RESULT_FILE = "result.json"
SEARCH, RETRAIN, BEST = "search", "retrain", "best"  # folders of a run


@dataclass(frozen=True)
class TrialResult:
    """A trial's best epoch.

    Attributes:
        trial: its name.
        config: its configuration.
        epoch: epochs done.
        metrics: `METRICS` on the validation split.
        epochs_run: how many epochs it ran in all.
        epochs_planned: how many it would have run, had nothing stopped it.
    """

    trial: str
    config: Mapping[str, Any]
    epoch: int
    metrics: Mapping[str, float]
    epochs_run: int
    epochs_planned: int


@dataclass(frozen=True)
class TuneResult:
    """How the best model was found.

    Attributes:
        kept: `search` or `retrain`: whose model is in `best/`.
        winner: the search's best trial.
        original: the trial of the original's hyper-parameters; None if the time budget ended before its first epoch.
        retrained: the winner on all photos; None if there was nothing to gain from that.
        metric: what was compared.
        trials: how many ran for at least an epoch.
        failed: how many ended with an error.
        photos: number of photos, by `search`, `train` and `val`.
        start: the checkpoint that was started from.
    """

    kept: str
    winner: TrialResult
    original: TrialResult | None
    retrained: TrialResult | None
    metric: str
    trials: int
    failed: int
    photos: Mapping[str, int]
    start: str

    def summary(self) -> str:
        """In words."""
        best = f"{self.winner.metrics[self.metric]:.4f}"
        lines = [f"{self.trials} trials; the best {self.metric} on val is {best}, after epoch {self.winner.epoch} of {self.winner.trial}."]
        if self.original:
            lines.append(f"The original's hyper-parameters reach {self.original.metrics[self.metric]:.4f}.")
        if self.retrained is None:
            lines.append("The best trial has seen all photos and all its epochs, so it is not retrained.")
        else:
            verdict = "better, and kept" if self.kept == RETRAIN else "not better: the search's model is kept"
            lines.append(
                f"Retrained on all {self.photos['train']} photos, it reaches {self.retrained.metrics[self.metric]:.4f}: {verdict}."
            )
        if self.failed:
            lines.append(f"{self.failed} trials failed; {SEARCH}/*/error.txt says why.")
        return " ".join(lines)


def read_result(run_dir: str) -> TuneResult | None:
    """The result of a search; None while it is not finished."""
    uri = storage.join(run_dir, RESULT_FILE)
    return TypeAdapter(TuneResult).validate_json(storage.read_bytes(uri)) if storage.exists(uri) else None

"""A worker of `tune_training.train.workers` that kills itself once. Ray's processes import it: it brings nothing else along."""

import os
import signal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tune_training.train import fine_tune
from tune_training.train.distributed import rank, share_of
from tune_training.train.loop import STATE_FILE
from tune_training.train.workers import train_worker

KILLED = "killed"  # file in the run's folder


def killed_once(config: dict[str, Any]) -> str:
    """A worker; the second kills itself in the second epoch."""
    run_dir = config["asked"].run_dir

    def deadly(batch: NDArray[np.int64]) -> NDArray[np.int64]:
        if (run_dir / STATE_FILE).exists():
            (run_dir / KILLED).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return share_of(batch)

    if rank() == 1 and not (run_dir / KILLED).exists():
        fine_tune.share_of = deadly  # type: ignore[attr-defined] # in the worker's process
    return train_worker(config)

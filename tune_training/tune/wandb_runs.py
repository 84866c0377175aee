"""The runs of a search at Weights & Biases."""

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ray.air.integrations.wandb import WANDB_ENV_VAR, WandbLoggerCallback, _WandbLoggingActor
from ray.tune.experiment import Trial

UPLOAD_S = 45  # at the end of a search, for what was not uploaded before


class _LoggingActor(_WandbLoggingActor):
    """The process that a trial is logged from, with the variables of the command."""

    def __init__(self, *args: Any, environment: Mapping[str, str], **kwargs: Any) -> None:
        os.environ.update(environment)
        super().__init__(*args, **kwargs)


class WandbRuns(WandbLoggerCallback):
    """Ray's callback; a search is a group of runs. A search that is resumed writes its runs anew, with all their epochs."""

    _logger_actor_cls = _LoggingActor

    def __init__(self, project: str, run_dir: str, part: str) -> None:
        group = os.environ.get("WANDB_GROUP") or f"{PurePosixPath(run_dir).name} {part}"
        super().__init__(os.environ.get("WANDB_PROJECT") or project, group, job_type=part, upload_timeout=UPLOAD_S)

    def _start_logging_actor(self, trial: Trial, exclude_results: list[str], **wandb_init_kwargs: Any) -> None:
        """The key goes to the process as an argument: Ray would make it a part of the process's environment, which it writes to a log."""
        environment = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
        os.environ.pop(WANDB_ENV_VAR, None)
        try:
            super()._start_logging_actor(trial, exclude_results, environment=environment, **wandb_init_kwargs)
        finally:
            os.environ.update(environment)

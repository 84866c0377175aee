"""The options of a search, as the commands `tune` and `run` take them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option

from tune_training.train.metric import Metric
from tune_training.train.recipe import DEFAULT_START
from tune_training.tune.space import DEFAULT_SPACE
from tune_training.tune.tracker import Tracker, check_installed


class Method(StrEnum):
    """How to search; either way ASHA stops bad trials early (Li et al. 2020).

    ASHA: random configurations.
    OPTUNA: configurations proposed from the results of earlier ones (TPE; Akiba et al. 2019).
    """

    ASHA = "asha"
    OPTUNA = "optuna"


@dataclass(frozen=True)
class TuneOptions:
    """How to search."""

    space: Annotated[Path, Option(help="YAML file with the search space; the default explains itself.")] = DEFAULT_SPACE
    start: Annotated[str, Option(help="Image classifier to start from: a folder, s3://bucket/prefix/ or hf://org/name.")] = DEFAULT_START
    image_size: Annotated[int, Option(help="Side of each of the two views, pixels; 0: the checkpoint's own.", min=0)] = 0
    trials: Annotated[int, Option(help="Number of trials; the original's hyper-parameters are always the first.", min=1)] = 16
    method: Annotated[
        Method, Option(help="asha: random configurations, bad trials stopped early; optuna: configurations proposed by TPE.")
    ] = Method.ASHA
    metric: Annotated[Metric, Option(help="Metric on the validation split that decides.")] = Metric.BALANCED_ACCURACY
    subset: Annotated[
        int,
        Option(help="Photos to search with, a stratified sample by source and label; the winner is retrained on all. 0: all.", min=0),
    ] = 0
    minutes: Annotated[float, Option(help="Time budget of the search, of all calls together; 0: none.", min=0)] = 0
    cpus_per_trial: Annotated[float, Option(help="CPUs of a trial, and threads of torch; several trials run at a time.", min=0.1)] = 1
    gpus_per_trial: Annotated[float, Option(help="GPUs of a trial; 0.5: two share one. -1: one, where there are any.")] = -1
    seed: Annotated[int, Option(help="Seed of everything random.")] = 0
    tracker: Annotated[
        Tracker | None,
        Option(
            help="Tell MLflow or Weights & Biases of all trials, too; their own variables (MLFLOW_TRACKING_URI, WANDB_API_KEY) say where."
        ),
    ] = None

    def __post_init__(self) -> None:
        check_installed(self.tracker)

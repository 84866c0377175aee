"""The ways to search: which points are tried, and which trials are stopped early. The original's point is never stopped."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import BasicVariantGenerator, SearchAlgorithm, Searcher
from ray.tune.search.optuna import OptunaSearch

from tune_training.tune.space import SearchSpace

TIME = "epoch"  # name of the reported number of epochs done
GRACE_EPOCHS = 2  # a trial is judged after so many at the earliest: before, the warm-up decides
REDUCTION = 3  # of the trials that reach a rung, one in so many goes on
MUTABLE = ("learning_rate", "weight_decay", "layer_decay", "label_smoothing", "augmentation", "mixup")  # what a state does not depend on


class Method(StrEnum):
    """How to search.

    ASHA: random points; those that do badly are stopped early (Li et al. 2020).
    OPTUNA: likewise, but points are proposed by what earlier ones came to (TPE; Akiba et al. 2019).
    PBT: trials that do badly go on from the state of good ones, with changed numbers (Jaderberg et al. 2017).
    """

    ASHA = "asha"
    OPTUNA = "optuna"
    PBT = "pbt"


class _SparesOriginal(TrialScheduler):
    space: SearchSpace

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Lets the original go on, whatever its results."""
        if self.space.is_original(trial.config):
            return TrialScheduler.CONTINUE
        action: str = super().on_trial_result(tune_controller, trial, result)
        return action


class SparingASHA(_SparesOriginal, ASHAScheduler):
    """ASHA that spares the original."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        grace = min(GRACE_EPOCHS, space.max_epochs)
        super().__init__(time_attr=TIME, max_t=space.max_epochs, grace_period=grace, reduction_factor=REDUCTION)


class SparingPBT(_SparesOriginal, PopulationBasedTraining):
    """Population-based training that spares the original."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        mutations: Mapping[str, Any] = {name: domain for name, domain in space.domains().items() if name in MUTABLE}
        super().__init__(time_attr=TIME, perturbation_interval=1, burn_in_period=GRACE_EPOCHS, hyperparam_mutations=dict(mutations))


def scheduler(method: Method, space: SearchSpace) -> TrialScheduler:
    """Which trials are stopped or changed."""
    return SparingPBT(space) if method is Method.PBT else SparingASHA(space)


def search_algorithm(method: Method, space: SearchSpace, seed: int) -> SearchAlgorithm | Searcher:
    """Which points are tried; the first is the original."""
    first = [{name: space.original[name] for name in space.ranges}]
    if method is Method.OPTUNA:
        return OptunaSearch(points_to_evaluate=first, seed=seed)
    return BasicVariantGenerator(points_to_evaluate=first, random_state=seed)

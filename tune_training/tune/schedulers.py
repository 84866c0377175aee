"""Which configurations are tried, and which trials are stopped early. The original's trial never is."""

from enum import StrEnum
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import BasicVariantGenerator, SearchAlgorithm, Searcher
from ray.tune.search.optuna import OptunaSearch

from tune_training.train.fine_tune import EPOCH
from tune_training.tune.space import SearchSpace

GRACE_EPOCHS = 2  # before them, warm-up decides
REDUCTION = 3  # of the trials that reach a rung, one in three goes on


class Method(StrEnum):
    """How to search; either way ASHA stops bad trials early (Li et al. 2020).

    ASHA: random configurations.
    OPTUNA: configurations proposed from the results of earlier ones (TPE; Akiba et al. 2019).
    """

    ASHA = "asha"
    OPTUNA = "optuna"


class SparingASHA(ASHAScheduler):
    """ASHA that spares the original."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        grace = min(GRACE_EPOCHS, space.max_epochs)
        super().__init__(time_attr=EPOCH, max_t=space.max_epochs, grace_period=grace, reduction_factor=REDUCTION)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Lets the original go on, whatever its results."""
        if self.space.is_original(trial.config):
            return TrialScheduler.CONTINUE
        action: str = super().on_trial_result(tune_controller, trial, result)
        return action


def search_algorithm(method: Method, space: SearchSpace, seed: int) -> SearchAlgorithm | Searcher:
    """Proposes configurations; the first is the original's."""
    if not space.ranges:
        return BasicVariantGenerator()
    first = [{name: space.original[name] for name in space.ranges}]
    if method is Method.OPTUNA:
        return OptunaSearch(points_to_evaluate=first, seed=seed)
    return BasicVariantGenerator(points_to_evaluate=first, random_state=seed)

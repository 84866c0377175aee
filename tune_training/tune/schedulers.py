"""Which configurations are tried, and which trials are stopped early. The original's trial never is, and none is stopped because of it."""

from typing import Any

from optuna.samplers import TPESampler
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter, SearchAlgorithm, Searcher
from ray.tune.search.optuna import OptunaSearch

from tune_training.train.fine_tune import EPOCH
from tune_training.tune.options import Method
from tune_training.tune.space import SearchSpace

GRACE_EPOCHS = 2  # before them, warm-up decides
REDUCTION = 3  # of the trials that reach a rung, one in three goes on
TPE_ROUNDS = 4  # the first is random, and each of the others knows the results of those before it


class SparingASHA(ASHAScheduler):
    """ASHA that spares the original, which may have other epochs than the rest: it neither is compared at a rung nor counts at one."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        super().__init__(time_attr=EPOCH, max_t=space.epochs, grace_period=min(GRACE_EPOCHS, space.epochs), reduction_factor=REDUCTION)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Lets the original go on, whatever its results."""
        if self.space.is_original(trial.config):
            return TrialScheduler.CONTINUE
        action: str = super().on_trial_result(tune_controller, trial, result)
        return action


def search_algorithm(method: Method, space: SearchSpace, trials: int, seed: int) -> SearchAlgorithm | Searcher:
    """Proposes configurations; the first is the original's."""
    if not space.ranges:
        return BasicVariantGenerator()
    first = [{name: space.original[name] for name in space.ranges}]
    if method is Method.ASHA:
        return BasicVariantGenerator(points_to_evaluate=first, random_state=seed)
    # Optuna's own default, ten random starts, is most of a search; and of trials that all start at once none learns from another.
    at_once = max(1, trials // TPE_ROUNDS)
    sampler = TPESampler(n_startup_trials=at_once, seed=seed)
    return ConcurrencyLimiter(OptunaSearch(points_to_evaluate=first, sampler=sampler), max_concurrent=at_once)

"""Which trials are stopped and which are proposed, with Ray Tune's own classes and simulated results."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import BasicVariantGenerator

from tune_training.tune.options import Method
from tune_training.tune.schedulers import SparingASHA, search_algorithm
from tune_training.tune.space import DEFAULT_SPACE, SearchSpace, read_search_space

METRIC = "accuracy"
SPACE = "original: {learning_rate: 2e-5, epochs: 3}\nsearch: {learning_rate: {log_uniform: [1.0e-5, 1.0e-2]}, epochs: 8}"


@pytest.fixture
def space(tmp_path: Path) -> SearchSpace:
    (tmp_path / "space.yaml").write_text(SPACE)
    return read_search_space(tmp_path / "space.yaml")


def accuracy(learning_rate: float, epoch: int, epochs: int) -> float:
    """Of a training whose best learning rate is 1e-3, and which gets good only towards the end of its cosine."""
    quality = 1 - abs(math.log10(learning_rate) + 3) / 4
    return quality * (1 - math.cos(math.pi * epoch / epochs)) / 2


class Search:
    """Trials side by side, each an epoch at a time, as fast as each other."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.scheduler = SparingASHA(space)
        self.scheduler.set_search_properties(METRIC, "max")
        self.results: dict[float, list[float]] = {}

    def run(self, learning_rates: list[float]) -> None:
        """Runs each trial until it is stopped or at its end."""
        configs: list[dict[str, Any]] = [{"learning_rate": rate} for rate in learning_rates]
        trials = [Trial("trainable", config=config, stub=True) for config in configs]
        controller: Any = None  # which ASHA does not use
        running = dict(zip(learning_rates, trials, strict=True))
        for trial in trials:
            self.scheduler.on_trial_add(controller, trial)
        while running:
            for rate, trial in list(running.items()):
                epochs = self.space.recipe(trial.config, 0).epochs
                history = self.results.setdefault(rate, [])
                epoch = len(history) + 1
                history.append(accuracy(rate, epoch, epochs))
                action = self.scheduler.on_trial_result(None, trial, {"epoch": epoch, METRIC: history[-1]})
                if action == TrialScheduler.STOP or epoch == epochs:
                    del running[rate]


def test_the_best_of_one_horizon_is_never_stopped(space: SearchSpace) -> None:
    search = Search(space)
    search.run([1e-4, 1e-3, 3e-3, 5e-5, 1e-5, 1e-2])
    epochs = {rate: len(history) for rate, history in search.results.items()}
    assert epochs[1e-3] == 8
    assert epochs[1e-5] < 8
    assert epochs[1e-2] < 8


def test_the_original_has_its_own_epochs_and_stops_nobody(space: SearchSpace) -> None:
    """After two of three epochs it is far ahead of all that have eight, and at a rung all but it would be stopped."""
    alone, beside = Search(space), Search(space)
    others = [1e-4, 1e-3, 3e-3]
    alone.run(others)
    beside.run([2e-5, *others])
    assert beside.results[2e-5][1] > beside.results[1e-3][1]
    assert len(beside.results.pop(2e-5)) == 3
    assert beside.results == alone.results


def test_the_first_proposal_is_the_original_and_the_default_space_suits_both_methods() -> None:
    space = read_search_space(DEFAULT_SPACE)
    for method in Method:
        algorithm: Any = search_algorithm(method, space, trials=16, seed=0)
        domains = space.domains(with_original=method is Method.OPTUNA)
        if isinstance(algorithm, BasicVariantGenerator):
            continue  # its first point is shown by the search in tests/tune
        algorithm.set_search_properties(METRIC, "max", domains)
        assert space.is_original(algorithm.suggest("first"))


def test_proposals_come_a_few_at_a_time_and_learn_from_the_results_of_others(space: SearchSpace) -> None:
    algorithm: Any = search_algorithm(Method.OPTUNA, space, trials=16, seed=0)
    algorithm.set_search_properties(METRIC, "max", space.domains(with_original=True))
    running: list[tuple[str, dict[str, float]]] = []
    given = Counter[bool]()
    for number in range(16):
        if (config := algorithm.suggest(str(number))) is None:
            name, known = running.pop(0)
            algorithm.on_trial_complete(name, {METRIC: accuracy(known["learning_rate"], 8, 8)})
            config = algorithm.suggest(str(number))
        running.append((str(number), config))
        assert len(running) <= 4
        if number >= 8:
            given[accuracy(config["learning_rate"], 8, 8) > 0.75] += 1
    assert given[True] > given[False]  # of random ones, two in three

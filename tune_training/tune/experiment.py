"""A search and its retraining as experiments of Ray Tune, which resume after whatever ended them."""

import json
import logging
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune as ray_tune
from ray.tune import ResultGrid, Tuner
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial

from tune_training.data.manifest import TRAIN, VAL
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.cluster import ray_cluster
from tune_training.io.errors import InputError
from tune_training.train.crops import training_crops
from tune_training.train.fine_tune import EPOCH, quality
from tune_training.train.metric import METRICS
from tune_training.tune.options import Method
from tune_training.tune.plan import Plan
from tune_training.tune.progress import Progress
from tune_training.tune.resources import trial_resources
from tune_training.tune.result import BEST, RETRAIN, SEARCH, TrialResult, TuneResult
from tune_training.tune.schedulers import SparingASHA, search_algorithm
from tune_training.tune.time_budget import TimeBudget, set_limit
from tune_training.tune.tracker import choose
from tune_training.tune.tracking import TRACKER_FILE, Tracking
from tune_training.tune.trial import TrialSettings, run_trial
from tune_training.tune.trial_folder import TrialRecord, end_trial, read_trial

logger = logging.getLogger(__name__)

Resources = Mapping[str, float]  # of a trial

BUDGET_FILE = "time_budget.json"
SNAPSHOT = "experiment_state-"  # prefix of Tune's files with the state of all trials
MAX_FAILURES = 3  # of a trial's worker; each time it resumes after the last epoch


def best_model(plan: Plan, run_dir: str) -> TuneResult:
    """Searches and retrains on the Ray cluster; copies the better model to `run_dir/best`.

    Raises:
        InputError: the cluster has not what a trial needs, or no trial finished an epoch.
    """
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # it would end the search as if it were finished, on what few trials there are
    choose(storage.join(run_dir, TRACKER_FILE), plan.options.tracker)
    with ray_cluster() as own_cluster:
        resources = trial_resources(plan)
        if own_cluster:
            keep_keys_out_of_logs()
            # With a progress bar; on other nodes, the first trial of each makes the crops.
            for photos in (plan.searched, plan.validation):
                training_crops(photos, plan.image_size)
        return _keep_best(plan, run_dir, resources)


def keep_keys_out_of_logs() -> None:
    """Tune hands AWS keys to its trials in their runtime environments, which Ray writes to a log. On this machine, workers inherit them."""
    class_cache.ENV_VARS_TO_PROPAGATE.difference_update({name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")})


def _search(plan: Plan, run_dir: str, resources: Resources) -> tuple[dict[str, TrialRecord], ResultGrid]:
    options = plan.options
    tune_config = ray_tune.TuneConfig(
        metric=options.metric,
        mode=METRICS[options.metric],
        scheduler=SparingASHA(plan.space),
        search_alg=search_algorithm(options.method, plan.space, options.trials, options.seed),
        num_samples=options.trials if plan.space.ranges else 1,
        trial_name_creator=_name,
        trial_dirname_creator=_name,
    )
    budget = storage.join(run_dir, BUDGET_FILE)
    set_limit(budget, options.minutes * 60)
    domains = plan.space.domains(with_original=options.method is Method.OPTUNA)
    return _fit(plan, run_dir, SEARCH, plan.searched, domains, tune_config, resources, TimeBudget(budget))


def _retrain(plan: Plan, run_dir: str, winner: TrialResult, resources: Resources) -> tuple[TrialResult, str]:
    """The winner on all photos and its model: a search of one trial, so that it resumes and reports like any other."""
    logger.info("retraining the best trial on all %d photos", len(plan.training))
    metric = plan.options.metric
    config = ray_tune.TuneConfig(metric=metric, mode=METRICS[metric], trial_name_creator=_name, trial_dirname_creator=_name)
    records, results = _fit(plan, run_dir, RETRAIN, plan.training, winner.config, config, resources)
    for name, record in records.items():
        return _best_epoch(plan, name, record), storage.join(run_dir, f"{RETRAIN}/{name}/{record.model}")
    raise InputError(f"the retraining failed: {_last_line(results.errors[0])}")


def _fit(
    plan: Plan,
    run_dir: str,
    part: str,
    training: Sequence[Photo],
    param_space: Mapping[str, Any],
    tune_config: ray_tune.TuneConfig,
    resources: Resources,
    stop: ray_tune.Stopper | None = None,
) -> tuple[dict[str, TrialRecord], ResultGrid]:
    """Starts an experiment of Ray Tune, or resumes it. Returns the records of trials with an epoch, and Tune's results."""
    options, folder = plan.options, storage.join(run_dir, part)
    threads = max(1, int(options.cpus_per_trial))
    settings = TrialSettings(
        folder, plan.start, plan.image_size, plan.space, training, plan.validation, options.metric, options.seed, threads
    )
    trainable = ray_tune.with_resources(ray_tune.with_parameters(run_trial, settings=settings), dict(resources))
    _drop_broken_snapshot(folder)
    if Tuner.can_restore(folder):
        logger.info("resuming %s", folder)
        tuner = Tuner.restore(folder, trainable, resume_unfinished=True, resume_errored=True)
    else:
        terminal = sys.stderr.isatty()
        run_config = ray_tune.RunConfig(
            name=part,
            storage_path=run_dir,
            failure_config=ray_tune.FailureConfig(max_failures=MAX_FAILURES),
            callbacks=[
                _EndOfTrial(folder, options.metric),
                Tracking(run_dir, part),
                *([] if terminal else [Progress(options.metric, list(plan.space.ranges))]),
            ],
            stop=stop,
            verbose=1 if terminal else 0,
        )
        tuner = Tuner(trainable, param_space=dict(param_space), tune_config=tune_config, run_config=run_config)
    # The original's hyper-parameters may lie outside of the ranges, on purpose.
    logging.getLogger("ray.tune.search.variant_generator").setLevel(logging.ERROR)
    results = tuner.fit()
    records = {}
    for index in range(len(results)):
        name = Path(results[index].path).name
        if results[index].error is None:
            end_trial(storage.join(folder, name))  # the command may have been killed before `_EndOfTrial` did it
        if record := read_trial(storage.join(folder, name)):
            records[name] = record
    return records, results


def _drop_broken_snapshot(folder: str) -> None:
    """Deletes Tune's snapshot of an experiment that cannot be read: the experiment starts anew, and its trials find their folders."""
    known = [file.name for file in storage.find_files(folder) if "/" not in file.name and file.name.endswith((".json", ".pkl"))]
    for name in known:
        content = storage.read_bytes(storage.join(folder, name))
        try:
            json.loads(content) if name.startswith(SNAPSHOT) else pickle.loads(content)  # noqa: S301 - as Tune does next
        except (ValueError, EOFError, pickle.UnpicklingError, ImportError, AttributeError):
            logger.warning(
                "%s was cut off, or another version wrote it: Ray Tune starts anew, and the trials resume", storage.join(folder, name)
            )
            for each in known:
                storage.delete(storage.join(folder, each))
            return


class _EndOfTrial(ray_tune.Callback):
    """Logs how a trial ended, and ends its folder."""

    def __init__(self, folder: str, metric: str) -> None:
        self._folder = folder
        self._metric = metric

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Also called for a trial that was stopped early."""
        done = 1 + sum(each.is_finished() for each in trials if each is not trial)
        result = trial.last_result
        logger.info("%s: %s %.4f after epoch %d (%d trials done)", trial, self._metric, result[self._metric], result[EPOCH], done)
        end_trial(storage.join(self._folder, _name(trial)))


def _name(trial: Trial) -> str:
    """A counter, without the random prefix of Tune's ids: an experiment that starts anew finds its trials' folders."""
    return f"trial_{trial.trial_id.rpartition('_')[2]}"


def _keep_best(plan: Plan, run_dir: str, resources: Resources) -> TuneResult:
    from tune_training.tune.plots import write_trials  # matplotlib is slow to import

    metric = str(plan.options.metric)  # the plain word, as it is read back from the result's file
    records, results = _search(plan, run_dir, resources)
    if not records:
        reason = _last_line(results.errors[0]) if results.errors else "the time budget ended before the first epoch"
        raise InputError(f"no trial came to an end: {reason}")
    write_trials(records, plan.space, metric, run_dir)
    found = [_best_epoch(plan, name, record) for name, record in records.items()]
    winner = max(found, key=lambda each: quality(each.metrics, metric))
    original = next((each for each in found if plan.space.is_original(each.config)), None)
    model, retrained, kept = storage.join(run_dir, f"{SEARCH}/{winner.trial}/{records[winner.trial].model}"), None, SEARCH
    if len(plan.searched) < len(plan.training) or winner.epochs_run < winner.epochs_planned:
        retrained, better = _retrain(plan, run_dir, winner, resources)
        if quality(retrained.metrics, metric)[0] > quality(winner.metrics, metric)[0]:
            model, kept = better, RETRAIN
    for file in storage.list_files(model):
        storage.write_bytes(storage.join(run_dir, f"{BEST}/{file.name}"), storage.read_bytes(storage.join(model, file.name)))
    photos = {"search": len(plan.searched), TRAIN: len(plan.training), VAL: len(plan.validation)}
    return TuneResult(kept, winner, original, retrained, metric, len(found), results.num_errors, photos, plan.start)


def _best_epoch(plan: Plan, name: str, record: TrialRecord) -> TrialResult:
    best = record.history[record.best - 1]
    planned = plan.space.recipe(record.config, plan.options.seed).epochs
    return TrialResult(name, record.config, record.best, {each: best[each] for each in METRICS}, len(record.history), planned)


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]

"""Searches hyper-parameters with Ray Tune, retrains the winner on all photos, and keeps whichever is better on val.

    RUN_DIR/search.json   what the search is of; another one is refused there
            time_budget.json  the seconds that it may take and has taken
            search/       Ray Tune's own: trials, checkpoints, TensorBoard logs
            retrain/      likewise, of the winner on all photos
            trials.csv, trials.png
            best/         the model, in the Hugging Face layout
            result.json   how it was found; written last

The same call goes on wherever the last one was stopped.
"""

import hashlib
import json
import logging
import os
import pickle
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from pydantic import TypeAdapter
from ray import tune as ray_tune
from ray.tune import ResultGrid, Tuner
from ray.tune.experiment import Trial
from transformers import AutoConfig, AutoModelForImageClassification

from serve_app.runtimes.base import LABELS
from tune_training.data.manifest import TRAIN, VAL, read_manifest
from tune_training.io import storage
from tune_training.io.cluster import check_resources, ray_cluster
from tune_training.io.errors import InputError
from tune_training.train.crops import needed_bytes
from tune_training.train.model import read_data
from tune_training.train.sampling import Example, examples_of_manifest, stratified_subset
from tune_training.tune.schedulers import TIME, Method, scheduler, search_algorithm
from tune_training.tune.space import DEFAULT_SPACE, SearchSpace, read_search_space
from tune_training.tune.stored_epochs import mark_ended, read_epoch, stand_in_for_dropped
from tune_training.tune.time_budget import TimeBudget, set_limit
from tune_training.tune.trial import METRICS, TrialSettings, crops_folder, model_folder, run_trial, starting_folder

logger = logging.getLogger(__name__)

DEFAULT_START = "hf://google/vit-base-patch16-224"
IDENTITY_FILE, BUDGET_FILE, RESULT_FILE = "search.json", "time_budget.json", "result.json"
SEARCH, RETRAIN, BEST = "search", "retrain", "best"
SNAPSHOT = "experiment_state-"  # begins the names of Tune's files of all trials' states
MAX_FAILURES = 3  # of a trial's worker, each time going on after the last epoch
STATE_BYTES = 18  # of a trial's checkpoint, per parameter: weights, their average and two moments in float32, the model in float16
MODEL_BYTES = 2


@dataclass(frozen=True)
class TuneOptions:
    """How to search.

    Attributes:
        space: YAML file, see `search_space.yaml`.
        start: URI of the ViT checkpoint to start from.
        image_size: side of the crops, pixels; 0: the checkpoint's own.
        trials: points to try, the original among them.
        method: see `Method`.
        metric: one of `METRICS`, on val.
        subset: photos to search with, of each source and label its share; 0: all. The winner is retrained on all.
        seed: of everything random.
        time_budget_s: seconds of search, of all calls together, after which no trial goes on; 0: no end. The retraining comes after it.
        cpus_per_trial, gpus_per_trial: may be fractions; -1 GPUs: one where there are any.
    """

    space: Path = DEFAULT_SPACE
    start: str = DEFAULT_START
    image_size: int = 0
    trials: int = 16
    method: Method = Method.ASHA
    metric: str = "balanced_accuracy"
    subset: int = 0
    seed: int = 0
    time_budget_s: float = 0
    cpus_per_trial: float = 1
    gpus_per_trial: float = -1


@dataclass(frozen=True)
class Point:
    """A trial's best epoch.

    Attributes:
        trial: its name.
        config: what of the search space it tried.
        epoch: epochs done.
        metrics: `METRICS` on val.
        epochs_run: how many it ran in all.
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
        winner: the search's best.
        original: the original's hyper-parameters; None if the time budget ended before their first epoch.
        retrained: the winner on all photos; None if there was nothing to gain from that.
        metric: what was compared.
        trials: how many ran for at least an epoch.
        failed: how many ended by an error.
        photos: number of photos, by `search`, `train` and `val`.
        start: the checkpoint that was started from.
    """

    kept: str
    winner: Point
    original: Point | None
    retrained: Point | None
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
            lines.append(f"The original's hyper-parameters come to {self.original.metrics[self.metric]:.4f}.")
        if self.retrained is None:
            lines.append("The best trial has seen all photos and all its epochs, so it is not retrained.")
        else:
            verdict = "better, and kept" if self.kept == RETRAIN else "not better: the search's model is kept"
            lines.append(
                f"Retrained on all {self.photos['train']} photos, it comes to {self.retrained.metrics[self.metric]:.4f}: {verdict}."
            )
        if self.failed:
            lines.append(f"{self.failed} trials failed; {SEARCH}/*/error.txt says why.")
        return " ".join(lines)


@dataclass(frozen=True)
class _Plan:
    """A checked search: whatever is wrong with its input has been said."""

    options: TuneOptions
    space: SearchSpace
    start: str
    image_size: int
    parameters: int
    training: Sequence[Example]
    searched: Sequence[Example]
    validation: Sequence[Example]

    def identity(self) -> dict[str, Any]:
        """What decides the result, in words and numbers that JSON has."""
        photos = repr([(each.fingerprint, each.label, each.source, each.box) for each in (*self.training, *self.validation)])
        options = self.options
        space = {"original": self.space.original, "fixed": self.space.fixed, "ranges": self.space.ranges}
        return {
            "photos": hashlib.sha256(photos.encode()).hexdigest()[:16],
            "search space": TypeAdapter(dict[str, Any]).dump_python(space, mode="json", exclude_none=True),
            "start": self.start,
            "image size": self.image_size,
            "trials": options.trials,
            "method": str(options.method),
            "metric": options.metric,
            "subset": options.subset,
            "seed": options.seed,
        }


def tune(manifest: str, run_dir: str, options: TuneOptions | None = None) -> TuneResult:
    """Searches, retrains, and writes the best model to `run_dir/best`.

    Args:
        manifest: URI of the manifest, with photos of both labels in `train` and `val`.
        run_dir: folder or s3:// prefix; on a cluster of several nodes one that all of them reach.
        options: see `TuneOptions`.

    Raises:
        InputError: something is wrong with what was given (before any work starts), or no trial came to an end.
    """
    options, run_dir = options or TuneOptions(), storage.absolute(run_dir)
    plan = _checked(manifest, run_dir, options)
    if (finished := read_result(run_dir)) is not None:
        logger.info("this search is finished: %s", finished.summary())
        return finished
    # A snapshot of the search for each checkpoint, so that no more than an epoch is lost, is meant and no reason to warn.
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    with ray_cluster() as own_cluster:
        gpus = options.gpus_per_trial if options.gpus_per_trial >= 0 else min(1.0, ray.cluster_resources().get("GPU", 0.0))
        check_resources(options.cpus_per_trial, gpus)
        if own_cluster:  # with a progress bar; on other nodes the first trial of each does it
            for examples in (plan.searched, plan.validation):
                read_data(examples, plan.image_size, crops_folder())
        results = _search(plan, run_dir, gpus)
        result = _keep_best(plan, run_dir, results, gpus)
    storage.write_bytes(storage.join(run_dir, RESULT_FILE), json.dumps(asdict(result), indent=2).encode())
    logger.info("%s", result.summary())
    return result


def read_result(run_dir: str) -> TuneResult | None:
    """The result of a search; None while it is not finished."""
    uri = storage.join(run_dir, RESULT_FILE)
    return TypeAdapter(TuneResult).validate_json(storage.read_bytes(uri)) if storage.exists(uri) else None


def _checked(manifest: str, run_dir: str, options: TuneOptions) -> _Plan:
    """Everything that can be wrong with the input is found here, before any work starts."""
    if options.metric not in METRICS:
        raise InputError(f"there is no metric {options.metric!r}, only {', '.join(METRICS)}")
    if options.trials < 1 or options.subset < 0:
        raise InputError("a search has at least one trial, and a subset at least one photo (0: all)")
    space = read_search_space(options.space)
    table = read_manifest(manifest)
    training, validation = (examples_of_manifest(table, split) for split in (TRAIN, VAL))
    for split, examples in ((TRAIN, training), (VAL, validation)):
        if missing := set(LABELS) - {each.label for each in examples}:
            raise InputError(f"{manifest}: all {len(examples)} photos of {split!r} have one label; there is none of {min(missing)!r}")
    start = options.start if "://" in options.start else storage.absolute(options.start)
    image_size, parameters = _check_start(start, space, options.image_size)
    searched = stratified_subset(training, options.subset or len(training), options.seed)
    plan = _Plan(options, space, start, image_size, parameters, training, searched, validation)
    storage.check_writable(run_dir)
    _check_identity(plan, run_dir)
    _check_space(plan, run_dir)
    return plan


def _check_start(start: str, space: SearchSpace, image_size: int) -> tuple[int, int]:
    """Image size and number of parameters of the starting checkpoint."""
    if "://" not in start and not (Path(start) / "config.json").is_file():
        raise InputError(
            f"{start}: there is no checkpoint in this folder. Write a folder with a config.json, s3://bucket/prefix/ or hf://org/name"
        )
    config = AutoConfig.from_pretrained(starting_folder(start))
    if config.model_type != "vit":
        raise InputError(f"{start}: this is no ViT checkpoint but a {config.model_type!r} one, and layers are counted as a ViT has them")
    if (frozen := max(space.values("frozen_layers"))) > config.num_hidden_layers:
        raise InputError(f"the search space has frozen_layers {frozen}, and {start} has {config.num_hidden_layers} layers")
    size = image_size or config.image_size
    if size % config.patch_size:
        raise InputError(f"an image size of {size} is not a multiple of {config.patch_size}, the patches of {start}")
    with torch.device("meta"):
        return size, AutoModelForImageClassification.from_config(config).num_parameters()


def _check_identity(plan: _Plan, run_dir: str) -> None:
    uri, wanted = storage.join(run_dir, IDENTITY_FILE), plan.identity()
    if storage.exists(uri):
        known = json.loads(storage.read_bytes(uri))
        if changed := [name for name, value in wanted.items() if known.get(name) != value]:
            told = "; ".join(
                f"{name} was {known.get(name)} and is {wanted[name]}" for name in changed if name not in ("photos", "search space")
            )
            raise InputError(
                f"{run_dir} belongs to another search: {' and '.join(changed)} changed{f' ({told})' if told else ''}. "
                "Choose another run directory, or the same settings"
            )
    else:
        storage.write_bytes(uri, json.dumps(wanted, indent=2).encode())


def _check_space(plan: _Plan, run_dir: str) -> None:
    photos = len(plan.training) + len(plan.validation) + (len(plan.searched) if len(plan.searched) < len(plan.training) else 0)
    storage.check_space(str(crops_folder()), needed_bytes(photos, plan.image_size))
    # Of each trial the best epoch's checkpoint is kept and the last one's; those of ended trials without the state to go on from.
    running = len(os.sched_getaffinity(0)) / max(plan.options.cpus_per_trial, 0.1)
    kept = 2 * (running * STATE_BYTES + plan.options.trials * (STATE_BYTES if plan.options.method is Method.PBT else MODEL_BYTES))
    storage.check_space(run_dir, int(kept * plan.parameters))


def _search(plan: _Plan, run_dir: str, gpus: float) -> ResultGrid:
    options = plan.options
    settings = TrialSettings(
        plan.start, plan.image_size, plan.space, plan.searched, plan.validation, options.seed, max(1, int(options.cpus_per_trial))
    )
    tune_config = ray_tune.TuneConfig(
        metric=options.metric,
        mode=METRICS[options.metric],
        scheduler=scheduler(options.method, plan.space),
        search_alg=search_algorithm(options.method, plan.space, options.seed),
        num_samples=options.trials,
        trial_name_creator=_name,
        trial_dirname_creator=_name,
    )
    states = options.method is Method.PBT  # its trials go on from the states of others
    budget = storage.join(run_dir, BUDGET_FILE)
    set_limit(budget, options.time_budget_s)
    stop = TimeBudget(budget)
    cpus = options.cpus_per_trial
    return _fit(SEARCH, run_dir, settings, plan.space.domains(), tune_config, cpus, gpus, options.metric, keep_states=states, stop=stop)


def _fit(
    name: str,
    run_dir: str,
    settings: TrialSettings,
    param_space: Mapping[str, Any],
    tune_config: ray_tune.TuneConfig,
    cpus: float,
    gpus: float,
    metric: str,
    *,
    keep_states: bool,
    stop: ray_tune.Stopper | None = None,
) -> ResultGrid:
    """Starts an experiment of Ray Tune, or goes on with the one that is there."""
    trainable = ray_tune.with_resources(ray_tune.with_parameters(run_trial, settings=settings), {"cpu": cpus, "gpu": gpus})
    path = storage.join(run_dir, name)
    _drop_what_was_cut_off(path)
    if Tuner.can_restore(path):
        stand_in_for_dropped(path)
        logger.info("going on with %s", path)
        return Tuner.restore(path, trainable, resume_unfinished=True, resume_errored=True).fit()
    # PBT may go on from a checkpoint of another trial that has newer ones by then.
    kept = ray_tune.CheckpointConfig(
        num_to_keep=4 if keep_states else 1, checkpoint_score_attribute=metric, checkpoint_score_order=METRICS[metric]
    )
    run_config = ray_tune.RunConfig(
        name=name,
        storage_path=run_dir,
        failure_config=ray_tune.FailureConfig(max_failures=MAX_FAILURES),
        checkpoint_config=kept,
        callbacks=[_EndOfTrial(metric, keep_states=keep_states)],
        stop=stop,
        verbose=1 if sys.stderr.isatty() else 0,
    )
    tuner = Tuner(trainable, param_space=dict(param_space), tune_config=tune_config, run_config=run_config)
    # The original's numbers may lie outside of the ranges, on purpose.
    logging.getLogger("ray.tune.search.variant_generator").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Reusing a worker for another trial would save a second of start for each exchange, and need a class for the trial.
        warnings.filterwarnings("ignore", "Consider boosting PBT performance", UserWarning)
        return tuner.fit()


def _drop_what_was_cut_off(path: str) -> None:
    """If a kill has cut off what Tune writes of an experiment, forgets it: the experiment starts again, and finds its trials' epochs."""
    known = [file.name for file in storage.find_files(path) if "/" not in file.name and file.name.endswith((".json", ".pkl"))]
    for name in known:
        content = storage.read_bytes(storage.join(path, name))
        try:
            json.loads(content) if name.startswith(SNAPSHOT) else pickle.loads(content)  # noqa: S301 - as Tune does next
        except (ValueError, EOFError, pickle.UnpicklingError):
            logger.warning("%s was cut off: Ray Tune starts anew, from the epochs that are stored", storage.join(path, name))
            for each in known:
                storage.delete(storage.join(path, each))
            return


class _EndOfTrial(ray_tune.Callback):
    """Says how a trial ended, and drops its states: nothing goes on from there, and they are nine tenths of its checkpoints."""

    def __init__(self, metric: str, *, keep_states: bool) -> None:
        self._metric = metric
        self._keep_states = keep_states

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Also called for a trial that was stopped early."""
        done = 1 + sum(each.is_finished() for each in trials if each is not trial)
        result = trial.last_result
        logger.info("%s: %s %.4f after epoch %d (%d trials done)", trial, self._metric, result[self._metric], result[TIME], done)
        kept: Any = trial.run_metadata.checkpoint_manager
        for known in [] if self._keep_states else kept.best_checkpoint_results:
            mark_ended(known.checkpoint)


def _name(trial: Trial) -> str:
    """Where trials are counted, without the random beginning: a search that starts again finds what they have stored."""
    return f"trial_{trial.trial_id.rpartition('_')[2]}"


def _keep_best(plan: _Plan, run_dir: str, results: ResultGrid, gpus: float) -> TuneResult:
    from tune_training.tune.plots import write_trials  # matplotlib is slow to import

    metric, mode = plan.options.metric, METRICS[plan.options.metric]
    every = [results[index] for index in range(len(results))]
    found = [each for each in (_best_epoch(result, plan, metric) for result in every) if each]
    if not found:
        reason = str(results.errors[0]).strip().splitlines()[-1] if results.errors else "the time budget ended before the first epoch"
        raise InputError(f"no trial came to an end: {reason}")
    write_trials(every, plan.space, metric, run_dir)

    def quality(point: Point) -> tuple[float, float]:
        value = point.metrics[metric]
        return (value if mode == "max" else -value), -point.metrics["loss"]

    winner, checkpoint = max(found, key=lambda each: quality(each[0]))
    original = next((point for point, _ in found if plan.space.is_original(point.config)), None)
    retrained, kept = None, SEARCH
    if len(plan.searched) < len(plan.training) or winner.epochs_run < winner.epochs_planned:
        logger.info("retraining the best trial on all %d photos", len(plan.training))
        retrained, better = _retrain(plan, run_dir, winner, gpus)
        if quality(retrained)[0] > quality(winner)[0]:
            checkpoint, kept = better, RETRAIN
    with checkpoint.as_directory() as folder:
        _write_best(model_folder(Path(folder)), storage.join(run_dir, BEST))
    photos = {"search": len(plan.searched), TRAIN: len(plan.training), VAL: len(plan.validation)}
    return TuneResult(kept, winner, original, retrained, metric, len(found), results.num_errors, photos, plan.start)


def _retrain(plan: _Plan, run_dir: str, winner: Point, gpus: float) -> tuple[Point, ray_tune.Checkpoint]:
    """A search of one trial, so that it resumes and reports as all others do."""
    cpus, metric = plan.options.cpus_per_trial, plan.options.metric
    settings = TrialSettings(plan.start, plan.image_size, plan.space, plan.training, plan.validation, plan.options.seed, max(1, int(cpus)))
    config = ray_tune.TuneConfig(metric=metric, mode=METRICS[metric], trial_name_creator=_name, trial_dirname_creator=_name)
    result = _fit(RETRAIN, run_dir, settings, winner.config, config, cpus, gpus, metric, keep_states=False)[0]
    best = _best_epoch(result, plan, metric)
    if best is None:
        raise InputError(f"the retraining failed: {str(result.error).strip().splitlines()[-1]}")
    return best


def _best_epoch(result: ray_tune.Result, plan: _Plan, metric: str) -> tuple[Point, ray_tune.Checkpoint] | None:
    """The best epoch of those whose checkpoints are kept; None if there is none."""
    # Tune may name one that it has dropped since for a better one, if it was killed then.
    kept = [each for each in result.best_checkpoints or () if read_epoch(each[0])]
    if not kept:
        return None
    sign = 1 if METRICS[metric] == "max" else -1
    checkpoint, metrics = max(kept, key=lambda each: (sign * each[1][metric], -each[1]["loss"]))
    config = dict(result.config or {})
    name = Path(result.path).name
    planned = plan.space.recipe(config, plan.options.seed).epochs
    values = {each: metrics[each] for each in METRICS}
    return Point(name, config, metrics[TIME], values, (result.metrics or metrics)[TIME], planned), checkpoint


def _write_best(model: Path, uri: str) -> None:
    files: Iterable[Path] = sorted(model.iterdir())
    for file in files:
        storage.write_file(storage.join(uri, file.name), file)

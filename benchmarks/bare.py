"""Runs a loop over the bare models on all cores, and finds its fastest configuration.

Two loops are measured: the eager one of `bare_loop`, and the pipeline of `serve_app`, which runs its models as the service does. The
service's throughput relative to the first says what a user gains or loses by it; relative to the second, what the graph costs.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import ParamSpec, TypeVar

import numpy as np
import torch

from benchmarks.answers import GivenAnswer
from benchmarks.bare_loop import BareLoop
from benchmarks.checkpoints import ModelSet
from serve_app.checkpoints import resolve
from serve_app.runtimes.base import RunOptions
from serve_app.settings import Settings, cores
from serve_app.vision.classifier import Classifier
from serve_app.vision.decoding import DecodeLimits
from serve_app.vision.detector import Detector
from serve_app.vision.pipeline import Outcome, Pipeline

BATCH_SIZES = (1, 2, 4, 8, 16)
LEAST_BATCHES = 3  # however long they take

Loop = Callable[[Sequence[bytes]], list[Outcome]]
P = ParamSpec("P")
T = TypeVar("T")


class Runtime(StrEnum):
    """The runtime of the models."""

    EAGER = "eager"
    AS_SERVED = "as served"


@dataclass(frozen=True)
class Way:
    """A configuration of a loop: the number of processes, the threads of each, and the batch size."""

    processes: int
    threads: int
    batch_size: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads} threads, batches of {self.batch_size}"


@dataclass(frozen=True)
class Speed:
    """Photos per second."""

    way: Way
    photos_per_s: float


@dataclass(frozen=True)
class OneByOne:
    """A single process, one photo at a time: its answers, and the median latency."""

    threads: int
    p50_ms: float
    answers: Sequence[GivenAnswer]


def load_loop(runtime: Runtime, models: ModelSet, threads: int) -> Loop:
    """Loads both models; `threads` are those of one inference."""
    settings = Settings(_env_file=None)
    limits = DecodeLimits.of(settings)
    if runtime is Runtime.EAGER:
        torch.set_num_threads(threads)
        return BareLoop(models.detector, models.classifier, limits)
    detector, classifier = (resolve(str(folder), settings.model_cache_dir) for folder in (models.detector, models.classifier))
    options = RunOptions.of(settings, threads)
    return Pipeline(Detector.load(detector, options), Classifier.load(classifier, options), limits)


def core_splits(cores: int) -> list[tuple[int, int]]:
    """Ways to split cores into processes and threads: as many processes as cores, and one process with all threads."""
    return sorted({(cores, 1), (1, cores)}, reverse=True)


def try_ways(
    runtime: Runtime,
    models: ModelSet,
    photos: Sequence[bytes],
    seconds: float,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    splits: Sequence[tuple[int, int]] | None = None,
) -> list[Speed]:
    """Measures each split of the cores with each batch size, for `seconds` each."""
    speeds = []
    for processes, threads in splits or core_splits(cores()):
        results = _in_processes(processes, _run_batches, runtime, models, photos, seconds, tuple(batch_sizes), threads)
        for batch_size, finished in zip(batch_sizes, zip(*results, strict=True), strict=True):
            speeds.append(Speed(Way(processes, threads, batch_size), total_rate(finished, batch_size)))
    return speeds


def one_by_one(runtime: Runtime, models: ModelSet, photos: Sequence[bytes], seconds: float, threads: int) -> OneByOne:
    """Runs all photos one at a time in one process, repeatedly until `seconds` have passed."""
    [(milliseconds, answers)] = _in_processes(1, _run_one_by_one, runtime, models, photos, seconds, threads)
    return OneByOne(threads, float(np.median(milliseconds)), answers)


def total_rate(finished: Sequence[Sequence[float]], batch_size: int) -> float:
    """Photos per second of all processes together, while all of them were running.

    Args:
        finished: for each process, when each of its batches was done, seconds after the common start.
    """
    end = min(times[-1] for times in finished)
    done = [[at for at in times if at <= end] or times[:1] for times in finished]
    return sum(len(times) * batch_size / times[-1] for times in done)


_barrier: Barrier | None = None


def _in_processes(count: int, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> list[T]:
    context = get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_join, initargs=(context.Barrier(count),)) as pool:
        return [future.result() for future in [pool.submit(function, *arguments, **options) for _ in range(count)]]


def _join(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _run_batches(
    runtime: Runtime, models: ModelSet, photos: Sequence[bytes], seconds: float, batch_sizes: Sequence[int], threads: int
) -> list[list[float]]:
    """For each batch size, when its batches were done, seconds after the common start."""
    loop = load_loop(runtime, models, threads)
    results = []
    for batch_size in batch_sizes:
        turns = itertools.cycle(photos)
        loop(list(itertools.islice(turns, batch_size)))
        assert _barrier
        _barrier.wait()  # start together, or one process would have all cores to itself
        started = time.monotonic()
        finished: list[float] = []
        while len(finished) < LEAST_BATCHES or finished[-1] < seconds:
            loop(list(itertools.islice(turns, batch_size)))
            finished.append(time.monotonic() - started)
        results.append(finished)
    return results


def _run_one_by_one(
    runtime: Runtime, models: ModelSet, photos: Sequence[bytes], seconds: float, threads: int
) -> tuple[list[float], list[GivenAnswer]]:
    loop = load_loop(runtime, models, threads)
    loop(photos[:1])
    milliseconds: list[float] = []
    outcomes: list[Outcome] = []
    while not outcomes or sum(milliseconds) < seconds * 1000:
        outcomes = []
        for photo in photos:
            started = time.perf_counter()
            outcomes += loop([photo])
            milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds, [GivenAnswer.of_outcome(outcome) for outcome in outcomes]

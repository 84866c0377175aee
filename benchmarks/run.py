"""The order of a run: for each pair of models the bare loops, then the service and its peers.

Each server is loaded in all ways, and then in turn with the bare loops, so that their ratio is of neighbouring moments.

What fails is written down and does not stop the rest, and the results are written after each step.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import bare, service
from benchmarks.answers import GivenAnswer, disagreements
from benchmarks.bare import Runtime
from benchmarks.checkpoints import ModelSet
from benchmarks.load import ClosedLoop, LoadRecord, OpenLoop, run_load
from benchmarks.other_work import OtherWork
from benchmarks.results import BareResult, Point, Round, ServerResult, SetResult, mean_batches
from benchmarks.samples import ANSWERED, summarise
from benchmarks.servers import RunningServer, Server
from serve_app.codes import Code
from serve_app.settings import cores

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The durations (seconds) and loads of a run.

    Attributes:
        seconds: of each load and of the best bare loop.
        try_seconds: of each way to run a bare loop.
        warm_up: before each load.
        scale_up: a load of the most clients before the first of `MANY`, in which the service starts its further replicas.
        overloads: rates of the open loops, as multiples of what was most in a closed one.
        rounds: of the bare loops and the closed loop with the most answers, in turn.
        raw: photos are sent as the body, not in a form; peers get forms always.
    """

    seconds: float
    try_seconds: float
    warm_up: float
    scale_up: float
    clients: Sequence[int] = (1, 4, 16, 64)
    overloads: Sequence[float] = (0.5, 1, 2, 4)
    rounds: int = 3
    batch_sizes: Sequence[int] = bare.BATCH_SIZES
    raw: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


MANY = 8  # enough clients to keep more than one replica busy


def measure_set(models: ModelSet, photos: Sequence[bytes], peers: Sequence[Server], plan: Plan, save: Callable[[SetResult], None]) -> None:
    """Measures one pair of models; `save` gets the results so far, the same object each time."""
    result = SetResult(models.name, dict(models.settings) | dict(plan.settings))
    run = _SetRun(models, photos, plan, result, lambda: save(result))
    for runtime in Runtime:
        run.measure_bare(runtime)
    with tempfile.TemporaryDirectory() as cache:
        ours = service.service(models, {"MODEL_CACHE_DIR": cache, **plan.settings})
        with run.noting_failure("preparing the models"):
            log.info("models prepared, as `make setup` does, in %.1f s", service.prepare(ours))
        for server in [ours, *peers]:
            with run.noting_failure(server.name):
                run.measure_server(server)


class _SetRun:
    def __init__(self, models: ModelSet, photos: Sequence[bytes], plan: Plan, result: SetResult, save: Callable[[], None]) -> None:
        self._models = models
        self._photos = photos
        self._plan = plan
        self._result = result
        self._save = save
        self._expected: dict[Runtime, Sequence[GivenAnswer]] = {}  # the bare loops' answers
        self._batches: Mapping[str, int] = {}  # the server's count so far

    @contextmanager
    def noting_failure(self, step: str) -> Iterator[None]:
        """Records a failure and continues."""
        try:
            yield
        except Exception as error:
            log.exception("%s failed", step)
            self._result.errors.append(f"{step}: {type(error).__name__}: {error}")
        finally:
            self._save()

    def measure_bare(self, runtime: Runtime) -> None:
        """Finds the fastest configuration of a bare loop, and runs each photo: its answers are expected of the servers on that runtime."""
        bare_result = BareResult(runtime)
        self._result.bare.append(bare_result)
        with self.noting_failure(f"bare loop, {runtime}, one by one"):
            alone = bare.one_by_one(runtime, self._models, self._photos, self._plan.try_seconds, service.threads())
            bare_result.one_by_one_p50_ms, bare_result.one_by_one_threads = alone.p50_ms, alone.threads
            self._expected[runtime] = alone.answers
            bare_result.disagreements = disagreements(alone.answers, self._expected[Runtime.EAGER])
            log.info("bare loop, %s: %.1f ms a photo, disagreements: %s", runtime, alone.p50_ms, bare_result.disagreements or "none")
        with self.noting_failure(f"bare loop, {runtime}"):
            for processes, threads in bare.core_splits(cores()):
                ways = bare.try_ways(
                    runtime, self._models, self._photos, self._plan.try_seconds, self._plan.batch_sizes, [(processes, threads)]
                )
                for speed in ways:
                    log.info("bare loop, %s, %s: %.2f photos/s", runtime, speed.way, speed.photos_per_s)
                bare_result.tried += ways
        with self.noting_failure(f"bare loop, {runtime}, the best way"):
            self._measure_best(bare_result)

    def _measure_best(self, bare_result: BareResult) -> float:
        """Measures the fastest configuration for as long as a load; returns photos per second."""
        runtime = Runtime(bare_result.runtime)
        way = max(bare_result.tried, key=lambda speed: speed.photos_per_s).way
        (best,) = bare.try_ways(runtime, self._models, self._photos, self._plan.seconds, [way.batch_size], [(way.processes, way.threads)])
        bare_result.best.append(best)
        log.info("bare loop, %s, %s: %.2f photos/s", runtime, way, best.photos_per_s)
        return best.photos_per_s

    def measure_server(self, server: Server) -> None:
        """Starts a server, compares its answers, and loads it."""
        outcome = ServerResult(server.name)
        self._result.servers.append(outcome)
        plan = self._plan
        with RunningServer(server) as running:
            expected = self._expected[server.runtime]
            outcome.first_answer_s = running.wait_for_first_answer(self._photos[0], expected[0].agrees_with)
            log.info("%s: first right answer after %.1f s", server.name, outcome.first_answer_s)
            outcome.disagreements = disagreements([running.ask(photo) for photo in self._photos], expected)
            log.info("%s: answers that disagree: %s", server.name, outcome.disagreements or "none")
            self._save()
            self._batches = running.batches()
            scaled = False
            for clients in plan.clients:
                with self.noting_failure(f"{server.name}, {clients} clients"):
                    if clients >= MANY and not scaled:
                        run_load(ClosedLoop(max(plan.clients)), running.upload(), self._photos, plan.scale_up, 0)
                        self._batches = running.batches()
                        scaled = True
                    self._measure_point(running, outcome, ClosedLoop(clients))
            saturated = outcome.saturated()
            for factor in plan.overloads if saturated else []:
                with self.noting_failure(f"{server.name}, {factor} times what was most"):
                    self._measure_point(running, outcome, OpenLoop(factor * (saturated or 0)))

            most = outcome.most_clients()
            for number in range(plan.rounds if most else 0):
                with self.noting_failure(f"{server.name}, round {number + 1}"):
                    self._measure_round(running, outcome, ClosedLoop(most or 1))

    def _measure_round(self, running: RunningServer, outcome: ServerResult, load: ClosedLoop) -> None:
        plan, others = self._plan, OtherWork(running.cpu_seconds)
        alone = {each.runtime: self._measure_best(each) for each in self._result.bare if each.tried}
        record = run_load(load, running.upload(), self._photos, plan.warm_up, plan.seconds)
        served = summarise(record.samples, record.start, record.seconds).answers_per_s
        outcome.rounds.append(Round(alone, served, others.cores()))
        log.info("%s, %s: %.1f answers/s; others used %.2f cores", outcome.name, load, served, outcome.rounds[-1].other_cores)

    def _measure_point(self, running: RunningServer, outcome: ServerResult, load: ClosedLoop | OpenLoop) -> None:
        plan = self._plan
        upload = running.upload(plan.raw and running.server.name == service.NAME)
        cpu, started = running.cpu_seconds(), time.monotonic()
        record = run_load(load, upload, self._photos, plan.warm_up, plan.seconds)
        cpu, wall = running.cpu_seconds() - cpu, time.monotonic() - started
        memory = running.memory_mb()
        before, self._batches = self._batches, running.batches()
        codes = [answer.code for answer in self._expected[running.server.runtime]]
        point = Point(
            load=str(load),
            clients=load.clients if isinstance(load, ClosedLoop) else None,
            rate=load.rate if isinstance(load, OpenLoop) else None,
            summary=summarise(record.samples, record.start, record.seconds, codes),
            client_cpu_s=record.client_cpu_s,
            server_cpu_s=cpu,
            wall_s=wall,
            memory_mb=memory,
            mean_batch=mean_batches(photos_by_model(record), before, self._batches),
        )
        outcome.points.append(point)
        summary = point.summary
        log.info(
            "%s, %s: %.1f answers/s, %.1f refusals/s, p50 %.0f ms, p99 %.0f ms%s",
            *(outcome.name, point.load, summary.answers_per_s, summary.refusals_per_s),
            *(summary.p50_ms or 0, summary.p99_ms or 0, f", {dict(summary.others)}" if summary.others else ""),
        )


def photos_by_model(record: LoadRecord) -> dict[str, int]:
    """How many answered photos went through each model, warm-up included."""
    codes = [sample.outcome for sample in record.samples if sample.status == ANSWERED]
    return {"detector": len(codes), "classifier": codes.count(Code.OK) + codes.count(Code.UNSURE)}

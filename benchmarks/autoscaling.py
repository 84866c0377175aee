"""Replicas over time under a burst over HTTP, with the detector's autoscaling settings of serve_config.yaml.

The load is idle, then four times the capacity of one replica, then idle again, on simulated models. Two settings differ, to show the
effect within two minutes: more replicas than two cores could use, and a short delay before downscaling.
"""

import argparse
import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure
from ray import serve

from benchmarks.local_cluster import ReplicaCount, local_serve, replica_count
from benchmarks.simulated import Pace, build, small_photo
from benchmarks.traffic import Phase, Reply, Traffic
from serve_app.settings import Settings

APPLICATION, DEPLOYMENT = "autoscaling", "PersonDetector"
PACE = Pace(batch_s=0.1, photo_s=0.0875, max_batch_size=8)  # 10 photos a second, so that the cores are free for replicas to start
IDLE = 0.05  # of the capacity of one replica
SAMPLE_EVERY_S = 0.25


@dataclass(frozen=True)
class Sample:
    """The replicas at one time, in seconds from the start."""

    at: float
    replicas: ReplicaCount


@dataclass(frozen=True)
class Second:
    """The outcomes of the photos sent within one second from `at`; `p99_s` is the latency of answered ones, None without any."""

    at: int
    offered: int
    answered: int
    refused: int
    failed: int
    p99_s: float | None


@dataclass(frozen=True)
class Run:
    """The measurements of a run.

    Attributes:
        capacity: photos per second of one replica.
        settings: the autoscaling_config.
        phases: the offered load.
        outcomes: number of answers by HTTP status.
        seconds_to_decision: from the burst's start until Serve wanted another replica; None if it never did.
        seconds_to_second_replica: until that one took requests.
        steps_back: how often fewer replicas were wanted than before, while the load was constant.
    """

    capacity: float
    settings: dict[str, Any]
    phases: list[Phase]
    outcomes: dict[str, int]
    seconds_to_decision: float | None
    seconds_to_second_replica: float | None
    steps_back: int
    samples: list[Sample]
    seconds: list[Second]


def detector_settings(config: Path) -> dict[str, Any]:
    """The detector's autoscaling_config."""
    deployments = yaml.safe_load(config.read_text())["applications"][0]["deployments"]
    (settings,) = (each["autoscaling_config"] for each in deployments if each["name"] == DEPLOYMENT)
    return dict(settings)


async def drive(url: str, phases: Sequence[Phase]) -> tuple[list[Reply], list[Sample], float]:
    """Offers the phases and watches the replicas; returns the replies, the samples, and the start (`time.monotonic`)."""
    samples: list[Sample] = []
    async with Traffic(url, small_photo()) as traffic:
        while (await traffic.ask()).status != 200:
            pass  # a service that is warming up lets its clients wait
        traffic.replies.clear()
        started = time.monotonic()

        async def watch() -> None:
            while True:
                replicas = await asyncio.to_thread(replica_count, APPLICATION, DEPLOYMENT)
                samples.append(Sample(time.monotonic() - started, replicas))
                await asyncio.sleep(SAMPLE_EVERY_S)

        watching = asyncio.create_task(watch())
        await traffic.offer(phases)
        watching.cancel()
    return traffic.replies, samples, started


def summarise(settings: dict[str, Any], phases: Sequence[Phase], replies: Sequence[Reply], samples: Sequence[Sample], began: float) -> Run:
    """Summarises a run whose second phase is the burst."""
    burst = phases[0].seconds
    during = [sample for sample in samples if burst <= sample.at < burst + phases[1].seconds]

    def seconds_until(condition: Callable[[ReplicaCount], bool]) -> float | None:
        return next((sample.at - burst for sample in during if condition(sample.replicas)), None)

    return Run(
        capacity=PACE.photos_per_s,
        settings=settings,
        phases=list(phases),
        outcomes=dict(Counter(str(reply.status) for reply in replies)),
        seconds_to_decision=seconds_until(lambda replicas: replicas.wanted > 1),
        seconds_to_second_replica=seconds_until(lambda replicas: replicas.running > 1),
        steps_back=sum(later.replicas.wanted < earlier.replicas.wanted for earlier, later in pairwise(during)),
        samples=list(samples),
        seconds=list(by_second(replies, began)),
    )


def by_second(replies: Sequence[Reply], began: float) -> Iterator[Second]:
    """The replies by the second in which their photos were sent."""
    length = math.ceil(max(reply.sent_at for reply in replies) - began)
    for at in range(length):
        sent = [reply for reply in replies if at <= reply.sent_at - began < at + 1]
        latencies = sorted(reply.seconds for reply in sent if reply.status == 200)
        refused = sum(reply.is_polite_refusal for reply in sent)
        p99 = latencies[math.ceil(0.99 * len(latencies)) - 1] if latencies else None
        yield Second(at, len(sent), len(latencies), refused, len(sent) - len(latencies) - refused, p99)


def plot(run: Run, path: Path) -> None:
    """Plots offered load and outcomes, replicas, and latency over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    photos, replicas, latency = figure.subplots(3, 1, sharex=True)
    at = [second.at for second in run.seconds]
    photos.step(at, [second.offered for second in run.seconds], where="post", color="black", label="offered")
    photos.step(at, [second.answered for second in run.seconds], where="post", color="tab:green", label="answered")
    photos.step(at, [second.refused for second in run.seconds], where="post", color="tab:red", label="refused (503, Retry-After)")
    photos.set_ylabel("photos per second")
    times = [sample.at for sample in run.samples]
    wanted = [sample.replicas.wanted for sample in run.samples]
    replicas.step(times, wanted, where="post", color="grey", linestyle=":", label="running or starting")
    replicas.step(times, [sample.replicas.running for sample in run.samples], where="post", color="tab:blue", label="running")
    replicas.set_ylabel("detector replicas")
    replicas.set_ylim(bottom=0)
    latency.plot(at, [second.p99_s for second in run.seconds], ".-", color="tab:orange", label="p99 of the answered")
    latency.set_ylabel("seconds")
    latency.set_ylim(bottom=0)
    latency.set_xlabel("seconds from the start")
    for axes in (photos, replicas, latency):
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    photos.set_title(f"A burst of {run.phases[1].photos_per_s / run.capacity:g} times what one replica can do ({run.capacity:.0f}/s)")
    figure.savefig(path, dpi=90)


def main(arguments: list[str] | None = None) -> int:
    """Runs it, prints a summary, and writes autoscaling.json and autoscaling.png."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks autoscaling", description="Shows replicas over time under a burst.")
    parser.add_argument("--config", type=Path, default=Path("serve_config.yaml"), help="whose autoscaling settings are tried")
    parser.add_argument("--max-replicas", type=int, default=6, help="more than the config's, which fit on two cores that compute")
    parser.add_argument(
        "--downscale-delay", type=float, default=15.0, metavar="SECONDS", help="less than the config's, to see it within minutes"
    )
    parser.add_argument("--load", type=float, default=4.0, help="the burst, as a multiple of what one replica can do")
    parser.add_argument("--seconds", type=float, nargs=3, default=[10.0, 60.0, 50.0], help="of the three phases")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    settings = detector_settings(options.config)
    settings |= {"max_replicas": options.max_replicas, "downscale_delay_s": options.downscale_delay}
    rates = [share * PACE.photos_per_s for share in (IDLE, options.load, IDLE)]
    phases = [Phase(rate, seconds) for rate, seconds in zip(rates, options.seconds, strict=True)]
    with local_serve() as address:
        app = build(Settings(_env_file=None), {DEPLOYMENT: {"autoscaling_config": settings}}, detector=PACE)
        serve.run(app, name=APPLICATION, route_prefix=f"/{APPLICATION}")
        run = summarise(settings, phases, *asyncio.run(drive(f"{address}/{APPLICATION}", phases)))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "autoscaling.json").write_text(json.dumps(asdict(run), indent=1) + "\n")
    plot(run, options.out / "autoscaling.png")
    print(f"answers by status: {run.outcomes}")
    print(f"burst to the decision: {run.seconds_to_decision} s, to a second running replica: {run.seconds_to_second_replica} s")
    print(f"most replicas: {max(sample.replicas.running for sample in run.samples)}, steps back in the burst: {run.steps_back}")
    return 0

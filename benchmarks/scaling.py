"""Photos per second by number of detector replicas, with simulated models at saturation: linear until the graph is the bottleneck.

Beside each throughput stands who used the cores meanwhile, so that the limit has a name.
"""

import argparse
import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from matplotlib.figure import Figure
from ray import serve

from benchmarks.local_cluster import local_serve
from benchmarks.simulated import Pace, build, small_photo
from benchmarks.traffic import Traffic
from serve_app.settings import Settings

APPLICATION = "scaling"
PACE = Pace(batch_s=0.1, photo_s=0.025, max_batch_size=8)  # 26.7 photos a second
LINEAR = 0.9  # of the replicas times the throughput of one
MANY = 1024  # photos in flight, and in replicas' queues: not a limit here

ROLES = {
    "proxy": r"ray::ProxyActor",
    "ingress": r"ray::ServeReplica:\w+:Ingress",
    "detectors": r"ray::ServeReplica:\w+:PersonDetector",
    "classifier": r"ray::ServeReplica:\w+:GenderClassifier",
    "controller": r"ray::ServeController",
}
CLIENT, OTHERS = "client", "ray itself"


@dataclass(frozen=True)
class Point:
    """Photos per second with a number of replicas; `cores` is the mean number of cores that each role used."""

    replicas: int
    photos_per_s: float
    refused_per_s: float
    cores: Mapping[str, float]


@dataclass(frozen=True)
class Scaling:
    """The measurements.

    Attributes:
        capacity: photos per second that one replica's model can do.
        linear_up_to: most replicas with which throughput was still linear.
        limit: most photos per second that were answered.
        points: by number of replicas.
    """

    capacity: float
    linear_up_to: int
    limit: float
    points: list[Point]


def cpu_seconds() -> dict[str, float]:
    """CPU time of this process and its children, by role."""
    spent: dict[str, float] = defaultdict(float)
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            times, name = process.cpu_times(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        role = next((role for role, pattern in ROLES.items() if re.match(pattern, name)), OTHERS)
        spent[CLIENT if process == own else role] += times.user + times.system
    return spent


async def saturate(url: str, replicas: int, warm_up: float, seconds: float) -> Point:
    """Keeps two batches per replica in flight."""
    async with Traffic(url, small_photo()) as traffic:
        start = time.monotonic() + warm_up
        end = start + seconds
        load = asyncio.create_task(traffic.keep_asking(2 * replicas * PACE.max_batch_size, lambda: time.monotonic() > end))
        await asyncio.sleep(warm_up)
        before = cpu_seconds()
        await asyncio.sleep(end - time.monotonic())
        after = cpu_seconds()
        await load
    within = [reply for reply in traffic.replies if start < reply.ended_at <= end]
    answered, refused = sum(reply.code == "ok" for reply in within), sum(reply.is_polite_refusal for reply in within)
    cores = {role: round((after[role] - before[role]) / seconds, 2) for role in (*ROLES, OTHERS, CLIENT)}
    return Point(replicas, answered / seconds, refused / seconds, cores)


def measure(counts: list[int], warm_up: float, seconds: float) -> Scaling:
    """Deploys and saturates each number of replicas, the smallest first."""
    settings = Settings(_env_file=None, max_photos_in_flight=MANY)
    points = []
    with local_serve() as address:
        for replicas in sorted(counts):
            options = {
                "Ingress": {"max_ongoing_requests": MANY},
                "PersonDetector": {"num_replicas": replicas, "max_ongoing_requests": 4 * PACE.max_batch_size},
            }
            serve.run(build(settings, options, detector=PACE), name=APPLICATION, route_prefix=f"/{APPLICATION}")
            points.append(asyncio.run(saturate(f"{address}/{APPLICATION}", replicas, warm_up, seconds)))
            print(row(points[-1], points[0]), flush=True)
    one = points[0].photos_per_s / points[0].replicas
    linear = [point.replicas for point in points if point.photos_per_s >= LINEAR * point.replicas * one]
    return Scaling(PACE.photos_per_s, max(linear), max(point.photos_per_s for point in points), points)


def row(point: Point, first: Point) -> str:
    """A line of the table."""
    share = point.photos_per_s / (first.photos_per_s / first.replicas * point.replicas)
    cores = "  ".join(f"{role} {used:.2f}" for role, used in point.cores.items())
    return f"{point.replicas:>8}  {point.photos_per_s:>8.1f}/s  {share:>6.0%} of linear   cores: {cores}"


def plot(scaling: Scaling, path: Path) -> None:
    """Throughput by replicas beside a straight line, and the cores that each role used."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    throughput, cores = figure.subplots(1, 2)
    counts = [point.replicas for point in scaling.points]
    throughput.plot(counts, [scaling.capacity * count for count in counts], ":", color="grey", label="linear: what the models can do")
    throughput.plot(counts, [point.photos_per_s for point in scaling.points], "o-", color="tab:blue", label="measured")
    throughput.set_ylabel("photos per second")
    throughput.set_ylim(bottom=0)
    throughput.grid(alpha=0.3)
    bottom = [0.0] * len(counts)
    for role in scaling.points[0].cores:
        used = [point.cores[role] for point in scaling.points]
        cores.bar([str(count) for count in counts], used, bottom=bottom, label=role)
        bottom = [below + more for below, more in zip(bottom, used, strict=True)]
    cores.set_ylabel("cores used")
    for axes in (throughput, cores):
        axes.set_xlabel("detector replicas")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=90)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, and writes scaling.json and scaling.png."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling", description="Photos per second by number of replicas.")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--warm-up", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=10.0, help="that each number of replicas is measured for")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    scaling = measure(options.replicas, options.warm_up, options.seconds)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scaling.json").write_text(json.dumps(asdict(scaling), indent=1) + "\n")
    plot(scaling, options.out / "scaling.png")
    print(f"linear up to {scaling.linear_up_to} replicas; at most {scaling.limit:.0f} photos per second")
    return 0

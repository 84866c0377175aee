"""Photos per second by replicas, with models that wait instead of computing: what ingress and HAProxy pass on, and what it costs them.

The service runs as `make serve` runs it, with both models in deployments of their own. Beside each throughput stands the CPU time of a
photo by process, so that the limit has a name, and a machine with other cores can be reckoned.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
import yaml
from matplotlib.figure import Figure
from pydantic import BaseModel
from ray.serve import Application
from rich.console import Console
from rich.table import Table

from benchmarks import cpu_time
from benchmarks.checkpoints import Size, model_set
from benchmarks.load import ClosedLoop, run_load
from benchmarks.samples import ANSWERED
from benchmarks.servers import ROOT, RunningServer, Server
from benchmarks.service import service
from benchmarks.simulated import Pace, build, small_photo
from serve_app.codes import Code
from serve_app.settings import SERVE_CONFIG, Settings

PACE = Pace(batch_s=0.08, photo_s=0.01, max_batch_size=8)  # 50 photos a second
BATCHES_IN_FLIGHT = 4  # of each detector: calls are not spread evenly
MANY = 1024  # photos in flight, and in replicas' queues: not a limit here
WIDTH = 120  # of the table, where there is no terminal
SHOWN = 0.05  # ms; processes that take less are "others"


class Replicas(BaseModel):
    """Arguments of the application: the numbers of replicas."""

    ingresses: int
    detectors: int


@dataclass(frozen=True)
class Point:
    """What was measured with these replicas.

    Attributes:
        milliseconds: CPU time of a photo, by process.
        cores: that all of them used.
    """

    ingresses: int
    detectors: int
    photos_per_s: float
    unanswered_per_s: float
    milliseconds: Mapping[str, float]
    cores: float


def application(replicas: Replicas) -> Application:
    """The graph of simulated models; the config that `measure` writes names it."""
    settings = Settings(_env_file=None, max_photos_in_flight=MANY)
    options = {
        "Ingress": {"num_replicas": replicas.ingresses, "max_ongoing_requests": MANY},
        "PersonDetector": {"num_replicas": replicas.detectors, "max_ongoing_requests": MANY},
    }
    return build(settings, options, detector=PACE)


def measure(each: Sequence[Replicas], warm_up: float, seconds: float) -> Iterator[Point]:
    """Starts and saturates the service with these replicas, one after the other."""
    real = service(model_set(Size.EMBEDDED, Path()))
    config = yaml.safe_load((ROOT / SERVE_CONFIG).read_text())
    for replicas in each:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / SERVE_CONFIG
            simulated = {"import_path": f"{__name__}:{application.__name__}", "args": replicas.model_dump()}
            path.write_text(yaml.safe_dump(config | {"applications": [{"name": "gender", "route_prefix": "/", **simulated}]}))
            yield _saturate(replace(real, environment={**real.environment, "SERVE_CONFIG": str(path)}), replicas, warm_up, seconds)


def _saturate(server: Server, replicas: Replicas, warm_up: float, seconds: float) -> Point:
    photos = [small_photo()]
    load = ClosedLoop(BATCHES_IN_FLIGHT * PACE.max_batch_size * replicas.detectors)
    with RunningServer(server) as running:
        running.wait_for_first_answer(photos[0], lambda answer: answer.code == Code.OK)
        run_load(load, running.upload(), photos, warm_up, 0)
        before = cpu_time.cpu_seconds(running.family())
        record = run_load(load, running.upload(), photos, 0, seconds)
        after = cpu_time.cpu_seconds(running.family())
    answered = sum(sample.status == ANSWERED for sample in record.samples)
    spent: defaultdict[str, float] = defaultdict(float, {cpu_time.CLIENT: record.client_cpu_s})
    for place, at_end in after.items():
        spent[place.process] += at_end - before[place]
    return Point(
        **replicas.model_dump(),
        photos_per_s=round(answered / seconds, 1),
        unanswered_per_s=round((len(record.samples) - answered) / seconds, 1),
        milliseconds={name: round(cpu_s * 1000 / answered, 2) for name, cpu_s in sorted(spent.items(), key=lambda item: -item[1])},
        cores=round(sum(spent.values()) / seconds, 2),
    )


def table(points: Sequence[Point]) -> Table:
    """The points as columns."""
    columns = [f"{point.ingresses}, {point.detectors}" for point in points]
    shown = Table("ingresses, detectors", *columns, title="CPU time of a photo, ms", title_justify="left")
    shown.add_row("photos/s", *(f"{point.photos_per_s:.0f}" for point in points))
    shown.add_row("... of what the detectors can do", *(f"{_share(point):.0%}" for point in points))
    shown.add_row("cores in use", *(f"{point.cores:.2f}" for point in points), end_section=True)
    names = dict.fromkeys(name for point in points for name, ms in point.milliseconds.items() if ms >= SHOWN)
    for name in names:
        shown.add_row(name, *(f"{point.milliseconds.get(name, 0):.2f}" for point in points))
    others = [sum(ms for name, ms in point.milliseconds.items() if name not in names) for point in points]
    shown.add_row("others", *(f"{ms:.2f}" for ms in others), end_section=True)
    shown.add_row("all", *(f"{sum(point.milliseconds.values()):.2f}" for point in points))
    return shown


def plot(points: Sequence[Point], path: Path) -> None:
    """Throughput by replicas beside a straight line."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    counts = sorted({point.detectors for point in points})
    axes.plot(counts, [PACE.photos_per_s * count for count in counts], ":", color="grey", label="what the detectors can do")
    for ingresses in sorted({point.ingresses for point in points}):
        these = [point for point in points if point.ingresses == ingresses]
        label = f"{ingresses} ingress{'es' if ingresses > 1 else ''}"
        axes.plot([point.detectors for point in these], [point.photos_per_s for point in these], "o-", label=label)
    axes.set_xlabel("detectors, with models that wait")
    axes.set_ylabel("photos per second")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=90)


def _share(point: Point) -> float:
    return point.photos_per_s / (point.detectors * PACE.photos_per_s)


def scaling(
    detectors: Annotated[list[int], typer.Option(help="Replicas, in turn.")] = [1, 4, 8, 16],  # noqa: B006 - typer copies it
    ingresses: Annotated[list[int], typer.Option(help="Replicas, in turn with each of those.")] = [1, 2],  # noqa: B006
    warm_up: Annotated[float, typer.Option(help="Seconds of load before each measurement.")] = 5,
    seconds: Annotated[float, typer.Option(help="Of each measurement.")] = 10,
    out: Annotated[Path, typer.Option(help="Folder of scaling.json and scaling.png.")] = Path("build/bench"),
) -> None:
    """Measure photos per second by replicas of ingress and detector, with simulated models."""
    points = list(measure([Replicas(ingresses=i, detectors=d) for i in ingresses for d in detectors], warm_up, seconds))
    out.mkdir(parents=True, exist_ok=True)
    (out / "scaling.json").write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")
    plot(points, out / "scaling.png")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(points))

"""Photos per second by replicas, with models that wait instead of computing: what ingress and HAProxy pass on, and what it costs them.

The service runs as `make serve` runs it, with both models in deployments of their own. Beside each throughput stands the CPU time of a
photo by process, so that the limit has a name, and a machine with other cores can be reckoned.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from pydantic import BaseModel
from ray.serve import Application
from rich.table import Table

from benchmarks import cpu_time
from benchmarks.servers import ROOT, Server
from benchmarks.simulated import Pace, build, small_photo
from serve_app.settings import SERVE_CONFIG, Settings

PACE = Pace(batch_s=0.08, photo_s=0.01, max_batch_size=8)  # 50 photos a second
BATCHES_IN_FLIGHT = 4  # of each detector: calls are not spread evenly
MANY = 1024  # photos in flight, and in replicas' queues: not a limit here
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
    """

    ingresses: int
    detectors: int
    photos_per_s: float
    milliseconds: Mapping[str, float]

    @property
    def cores(self) -> float:
        """That all processes used."""
        return self.photos_per_s * sum(self.milliseconds.values()) / 1000

    @property
    def share(self) -> float:
        """Of the photos that the detectors could do."""
        return self.photos_per_s / (self.detectors * PACE.photos_per_s)


def application(replicas: Replicas) -> Application:
    """The graph of simulated models; the config that `measure` writes names it."""
    settings = Settings(_env_file=None, max_photos_in_flight=MANY)
    options = {
        "Ingress": {"num_replicas": replicas.ingresses, "max_ongoing_requests": MANY},
        "PersonDetector": {"num_replicas": replicas.detectors, "max_ongoing_requests": MANY},
    }
    return build(settings, options, detector=PACE)


def measure(service: Server, each: Sequence[Replicas], warm_up: float, seconds: float) -> Iterator[Point]:
    """Starts and saturates the service with these replicas, one after the other."""
    config = yaml.safe_load((ROOT / SERVE_CONFIG).read_text())
    for replicas in each:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / SERVE_CONFIG
            simulated = {"import_path": f"{__name__}:{application.__name__}", "args": replicas.model_dump()}
            path.write_text(yaml.safe_dump(config | {"applications": [{"name": "gender", "route_prefix": "/", **simulated}]}))
            server = replace(service, environment={**service.environment, "SERVE_CONFIG": str(path)})
            clients = BATCHES_IN_FLIGHT * PACE.max_batch_size * replicas.detectors
            result = cpu_time.measure(server, [small_photo()], clients, seconds, warm_up)
        milliseconds = {name: round(spent, 2) for name, spent in result.by_process.items()}
        yield Point(**replicas.model_dump(), photos_per_s=round(result.photos_per_s, 1), milliseconds=milliseconds)


def table(points: Sequence[Point]) -> Table:
    """The points as columns."""
    columns = [f"{point.ingresses}, {point.detectors}" for point in points]
    shown = Table("ingresses, detectors", *columns, title="CPU time of a photo, ms", title_justify="left")
    shown.add_row("photos/s", *(f"{point.photos_per_s:.0f}" for point in points))
    shown.add_row("... of what the detectors can do", *(f"{point.share:.0%}" for point in points))
    shown.add_row("cores in use", *(f"{point.cores:.2f}" for point in points), end_section=True)
    names = dict.fromkeys(name for point in points for name, ms in point.milliseconds.items() if ms >= SHOWN)
    for name in names:
        shown.add_row(name, *(f"{point.milliseconds.get(name, 0):.2f}" for point in points))
    others = [sum(ms for name, ms in point.milliseconds.items() if name not in names) for point in points]
    shown.add_row("others", *(f"{ms:.2f}" for ms in others), end_section=True)
    shown.add_row("all", *(f"{sum(point.milliseconds.values()):.2f}" for point in points))
    return shown

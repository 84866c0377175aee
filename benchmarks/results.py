"""The measurements as JSON, and values derived from them. `SCHEMA` changes whenever the meaning of a field does."""

import dataclasses
import json
import platform
import statistics
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import TypeAdapter

from benchmarks.bare import Speed
from benchmarks.samples import LoadSummary
from benchmarks.servers import ROOT
from serve_app.settings import cores

SCHEMA = 2
PACKAGES = ("torch", "transformers", "ray", "pillow", "aiohttp")


@dataclass(frozen=True)
class Machine:
    """The machine of a measurement."""

    cores: int
    processor: str
    memory_gb: float
    python: str
    packages: Mapping[str, str]
    revision: str
    date: str


@dataclass(frozen=True)
class Point:
    """One load of one server.

    Attributes:
        load: in words.
        clients: of a closed loop.
        rate: of an open loop, photos per second.
        client_cpu_s: CPU seconds of the client in `summary.seconds`.
        server_cpu_s, wall_s: CPU seconds of the server in the whole load, warm-up and last answers included, and how long that took.
        memory_mb: PSS of the server's processes at its end.
        mean_batch: answered photos per batch, by model, in the whole load; empty where the server does not say.
    """

    load: str
    clients: int | None
    rate: float | None
    summary: LoadSummary
    client_cpu_s: float
    server_cpu_s: float
    wall_s: float
    memory_mb: float
    mean_batch: Mapping[str, float]


def mean_batches(photos: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    """Mean batch size by model: photos per batch between two counts."""
    batches = {model: count - before.get(model, 0) for model, count in after.items()}
    return {model: photos[model] / count for model, count in batches.items() if count > 0 and photos.get(model)}


@dataclass(frozen=True)
class Round:
    """The bare loops, and at once after them a server under the closed loop that got most from it.

    Attributes:
        bare: photos per second of each runtime in its fastest configuration.
        served: answers per second.
        other_cores: cores that other programs kept busy meanwhile.
    """

    bare: Mapping[str, float]
    served: float
    other_cores: float


@dataclass(frozen=True)
class Ratio:
    """Of a server's to a bare loop's photos per second: the median of the rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass
class ServerResult:
    """One server.

    Attributes:
        first_answer_s: seconds to the first correct answer.
        disagreements: photos answered differently from the bare loop on the same runtime.
        points: its loads.
        rounds: in turn with the bare loops, so that a machine that changes its speed changes both.
    """

    name: str
    first_answer_s: float | None = None
    disagreements: list[int] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    def peak(self) -> float | None:
        """Highest answers per second of all loads."""
        return max((point.summary.answers_per_s for point in self.points), default=None)

    def saturated(self) -> float | None:
        """Highest answers per second of the closed loops."""
        return max((point.summary.answers_per_s for point in self.points if point.clients), default=None)

    def most_clients(self) -> int | None:
        """Clients of the closed loop with the most answers per second."""
        closed = [point for point in self.points if point.clients]
        return max(closed, key=lambda point: point.summary.answers_per_s).clients if closed else None

    def point(self, clients: int) -> Point | None:
        """The closed loop with this number of clients."""
        return next((point for point in self.points if point.clients == clients), None)

    def overload(self) -> Point | None:
        """The open loop with the highest rate."""
        return max((point for point in self.points if point.rate), key=lambda point: point.rate or 0, default=None)

    def memory_mb(self) -> float | None:
        """Highest memory of all loads."""
        return max((point.memory_mb for point in self.points), default=None)


@dataclass
class BareResult:
    """A bare loop on one runtime.

    Attributes:
        tried: each way to run it, measured briefly.
        best: the best of them, measured again before the servers and in each round: the differences are the machine's.
        one_by_one_p50_ms: one photo at a time in one process with the service's threads.
        disagreements: photos that it answers differently than the eager loop.
    """

    runtime: str
    tried: list[Speed] = field(default_factory=list)
    best: list[Speed] = field(default_factory=list)
    one_by_one_p50_ms: float | None = None
    one_by_one_threads: int | None = None
    disagreements: list[int] = field(default_factory=list)

    def photos_per_s(self) -> float | None:
        """Median of the measurements of the fastest configuration: servers that spin while nobody asks slow down those of their rounds."""
        return statistics.median(speed.photos_per_s for speed in self.best) if self.best else None


@dataclass
class SetResult:
    """One pair of models; the first server is the service, the others are peers."""

    models: str
    settings: Mapping[str, str]
    bare: list[BareResult] = field(default_factory=list)
    servers: list[ServerResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def ratio(self, server: ServerResult, bare: BareResult) -> Ratio | None:
        """Ratio of served to bare throughput."""
        ratios = [each.served / each.bare[bare.runtime] for each in server.rounds if each.bare.get(bare.runtime)]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def other_cores(self) -> float:
        """The most cores that other programs kept busy in a round."""
        return max((each.other_cores for server in self.servers for each in server.rounds), default=0.0)

    def added_latency_ms(self, server: ServerResult, bare: BareResult) -> float | None:
        """The latency that the server adds to a single photo."""
        point = server.point(clients=1)
        if point is None or point.summary.p50_ms is None or bare.one_by_one_p50_ms is None:
            return None
        return point.summary.p50_ms - bare.one_by_one_p50_ms


@dataclass
class Results:
    """A whole run."""

    schema: int
    machine: Machine
    photos: str
    sets: list[SetResult] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Writes it as JSON, replacing an earlier state atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        scratch.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads a file of `write`."""
        return TypeAdapter(cls).validate_json(path.read_text())


def this_machine() -> Machine:
    """This machine and its installed packages."""
    return Machine(
        cores=cores(),
        processor=_processor(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        revision=_revision(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _revision() -> str:
    """The commit, with a plus if the work tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")

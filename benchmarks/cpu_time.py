"""Where the CPU time of a photo goes: by process of the service, and by thread."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load import ClosedLoop, run_load
from benchmarks.roles import role
from benchmarks.samples import ANSWERED
from benchmarks.servers import RunningServer, Server
from benchmarks.worst_clients import ANSWERS

CLIENT = "the client"
ENDED = "ended threads"


@dataclass(frozen=True, order=True)
class Place:
    """A thread of a process; processes and threads of one kind have one name."""

    process: str
    thread: str


@dataclass(frozen=True)
class CpuTime:
    """The result.

    Attributes:
        milliseconds: CPU time of one photo, by place.
    """

    photos: int
    photos_per_s: float
    milliseconds: dict[Place, float]

    @property
    def by_process(self) -> dict[str, float]:
        """Milliseconds of each process, the most first."""
        spent: defaultdict[str, float] = defaultdict(float)
        for place, milliseconds in self.milliseconds.items():
            spent[place.process] += milliseconds
        return dict(sorted(spent.items(), key=lambda item: -item[1]))


def measure(server: Server, photos: Sequence[bytes], clients: int, seconds: float, warm_up: float) -> CpuTime:
    """Starts a server and loads it, first unmeasured for `warm_up` seconds."""
    with RunningServer(server) as running:
        running.wait_for_first_answer(photos[0], lambda answer: answer.code in ANSWERS)
        load = ClosedLoop(clients)
        run_load(load, running.upload(), photos, warm_up, 0)
        before = cpu_seconds(running.family())
        record = run_load(load, running.upload(), photos, 0, seconds)
        spent = cpu_seconds(running.family())
    answered = sum(sample.status == ANSWERED for sample in record.samples)
    milliseconds = {place: (at_end - before[place]) * 1000 / answered for place, at_end in spent.items() if at_end > before[place]}
    milliseconds[Place(CLIENT, "")] = record.client_cpu_s * 1000 / answered
    return CpuTime(answered, answered / record.seconds, milliseconds)


def cpu_seconds(family: Iterable[psutil.Process]) -> defaultdict[Place, float]:
    """CPU time of all threads so far."""
    times: defaultdict[Place, float] = defaultdict(float)
    for process in family:
        # Processes and threads end at any moment.
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            name, whole = role(process.cmdline()), process.cpu_times()
            ended = whole.user + whole.system
            for thread in process.threads():
                try:
                    title = Path(f"/proc/{process.pid}/task/{thread.id}/comm").read_text().strip()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended just now
                times[Place(name, _without_number(title))] += thread.user_time + thread.system_time
                ended -= thread.user_time + thread.system_time
            times[Place(name, ENDED)] += max(ended, 0.0)
    return times


def _without_number(thread: str) -> str:
    """Threads of a pool have one name."""
    return re.sub(r"[-_ ]?\d+$", "", thread)

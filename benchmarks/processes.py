"""Who takes the memory and the CPU time of the service: a table by process, without clients, with one, and beside the worst ones.

Needs Linux: /proc tells private memory from shared libraries.
"""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import ClosedLoop, LoadRecord, run_load
from benchmarks.photos import benchmark_photos
from benchmarks.roles import role
from benchmarks.servers import RunningServer, Server
from benchmarks.worst_clients import ANSWERS, refused_files, worst_files
from serve_app.settings import Settings

SETTLE_S = 20.0  # after the first answer: workers that were started ahead end, and the dashboard's first looks are over
LOOK_EVERY_S = 2.0
MB = 1024  # kB, which /proc counts in


class Clients(StrEnum):
    """Who asks."""

    NOBODY = "nobody"
    ONE = "one"
    WORST = "worst"


@dataclass(frozen=True)
class Look:
    """What one process holds and has used.

    Attributes:
        pss_mb: its own memory and its part of what it shares.
        private_mb: of that, what no other process shares: heaps, mostly.
        libraries_mb: of `pss_mb`, mapped files.
        cpu_s: since its start.
    """

    role: str
    pss_mb: float
    private_mb: float
    libraries_mb: float
    cpu_s: float
    threads: int


def look_at(processes: Sequence[psutil.Process]) -> dict[int, Look]:
    """Each process by its id; those that end meanwhile are left out."""
    looks = {}
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
            kb = {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines)}
            times = process.cpu_times()
            private = (kb["Private_Clean"] + kb["Private_Dirty"]) / MB
            cpu_s = times.user + times.system
            looks[process.pid] = Look(role(process.cmdline()), kb["Pss"] / MB, private, kb["Pss_File"] / MB, cpu_s, process.num_threads())
        except (psutil.Error, OSError):
            continue
    return looks


def most_memory(running: RunningServer, loads: Sequence[Future[LoadRecord]], seconds: float) -> dict[int, Look]:
    """The look with the most memory while the loads run, or, without any, the one after `seconds`."""
    if not loads:
        time.sleep(seconds)
        return look_at(running.family())
    most: dict[int, Look] = {}
    while wait(loads, timeout=LOOK_EVERY_S).not_done:
        now = look_at(running.family())
        if _total(now) > _total(most):
            most = now
    return most


def print_table(before: Mapping[int, Look], most: Mapping[int, Look], after: Mapping[int, Look], seconds: float, console: Console) -> None:
    """One row for each role; CPU time is that of processes which lived from `before` to `after`."""
    table = Table("process", "number", "PSS, MB", "private, MB", "libraries, MB", "threads", "CPU, % of a core")
    rows = []
    for name in {look.role for look in [*most.values(), *after.values()]}:
        looks = [look for look in most.values() if look.role == name]
        cpu = sum(after[pid].cpu_s - before[pid].cpu_s for pid in after.keys() & before.keys() if after[pid].role == name)
        sums = [
            sum(values) for values in zip(*((look.pss_mb, look.private_mb, look.libraries_mb, look.threads) for look in looks), strict=True)
        ]
        rows.append((name, len(looks), *(sums or [0.0] * 4), 100 * cpu / seconds))
    rows.sort(key=lambda row: -row[2])
    for each in [*rows, ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))]:
        name, number, pss, private, libraries, threads, cpu = each
        table.add_row(str(name), str(number), f"{pss:.0f}", f"{private:.0f}", f"{libraries:.0f}", f"{threads:.0f}", f"{cpu:.2f}")
    console.print(table)


def _total(looks: Mapping[int, Look]) -> float:
    return sum(look.pss_mb for look in looks.values())


def show(server: Server, clients: Sequence[Clients], seconds: float, console: Console) -> None:
    """Starts a server, and prints a table for each kind of clients, in turn."""
    photos = benchmark_photos().photos
    worst = [*(worst_files(Settings()) | refused_files()).values()] if Clients.WORST in clients else []
    loads = {Clients.ONE: (ClosedLoop(1), photos), Clients.WORST: (ClosedLoop(8), worst)}
    with RunningServer(server) as running, ThreadPoolExecutor(1) as pool:
        first = running.wait_for_first_answer(photos[0], lambda answer: answer.code in ANSWERS)
        console.print(f"First answer after {first:.1f} s; load of the machine {os.getloadavg()[0]:.1f}")
        time.sleep(SETTLE_S)
        for each in clients:
            before, started = look_at(running.family()), time.monotonic()
            futures = []
            if each in loads:
                load, files = loads[each]
                futures = [pool.submit(run_load, load, running.upload(), files, 0, seconds)]
            most = most_memory(running, futures, seconds)
            after, passed = look_at(running.family()), time.monotonic() - started
            console.print(f"Clients: {each}; {passed:.0f} s")
            print_table(before, most, after, passed, console)

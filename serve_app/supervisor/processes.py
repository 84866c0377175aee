"""The processes of one run of the service, wherever they are in the process tree: all of them inherit one environment variable.

Neither the tree nor process groups would do: Ray's workers lead their own groups, and what a dead parent leaves behind belongs to init.
"""

import contextlib
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "DRAIN_DIR"  # its value is the run's own folder
PREFIX = "gender-serve-"  # of the folder's name
# Ray's workers give themselves titles, which would overwrite their environment; this tells the library that does it to keep it.
KEEPS_MARK = {"SPT_NOENV": "1"}
END_S = 10.0  # for the kernel to end what was killed


def run_of(folder: Path) -> list[psutil.Process]:
    """The living processes of the run with this folder."""
    return _runs().get(folder, [])


def end_run(folder: Path) -> None:
    """Kills all processes of a run. Repeats, since one may have started another meanwhile."""
    give_up = time.monotonic() + END_S
    while (members := run_of(folder)) and time.monotonic() < give_up:
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(members, timeout=END_S)


@dataclass(frozen=True)
class EarlierRun:
    """A run that another `make serve` has started.

    Attributes:
        processes: all of them.
        supervisor: its `make serve`, if that still lives.
    """

    processes: list[psutil.Process]
    supervisor: psutil.Process | None

    @property
    def ended_by(self) -> str:
        """The shell command that ends it."""
        if self.supervisor:
            return f"kill {self.supervisor.pid}"
        return shlex.join(["kill", "-9", *(str(process.pid) for process in self.processes)])

    def listens_on(self, port: int) -> bool:
        """Whether one of its processes has the port."""
        for process in self.processes:
            with contextlib.suppress(psutil.Error):
                if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in process.net_connections("tcp")):
                    return True
        return False


def earlier_runs() -> list[EarlierRun]:
    """The runs on this machine, of this user."""
    return [EarlierRun(processes, _supervisor(processes)) for folder, processes in _runs().items() if folder.name.startswith(PREFIX)]


def _runs() -> dict[Path, list[psutil.Process]]:
    """Living processes by the folder that they, or an ancestor, were given."""
    processes = {process.pid: process for process in psutil.process_iter(["ppid", "status"])}
    folders = {pid: _folder(process) for pid, process in processes.items()}
    runs: dict[Path, list[psutil.Process]] = {}
    for pid, process in processes.items():
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        ancestor = pid
        while ancestor in processes and not folders[ancestor] and ancestor != processes[ancestor].info["ppid"]:
            ancestor = processes[ancestor].info["ppid"]
        if folder := folders.get(ancestor):
            runs.setdefault(folder, []).append(process)
    return runs


def _folder(process: psutil.Process) -> Path | None:
    with contextlib.suppress(psutil.Error):  # it has ended, or is another user's
        if folder := process.environ().get(MARK):
            return Path(folder)
    return None


def _supervisor(processes: list[psutil.Process]) -> psutil.Process | None:
    """The process outside the run that started one of its processes and is a `python -m serve_app`."""
    pids = {process.pid for process in processes}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            parent = process.parent()
            if parent and parent.pid not in pids and any("serve_app" in part or "gender-serve" in part for part in parent.cmdline()):
                return parent
    return None

"""Processes of a pretended run."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serve_app.supervisor.processes import MARK, PREFIX

Spawn = Callable[..., psutil.Process]

WAIT = "import time; time.sleep(1000)"
# It says its number itself: just after its start, others cannot read the environment of a process yet.
SAY_AND_WAIT = f"import os; print(os.getpid(), flush=True); {WAIT}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run."""
    path = tmp_path / f"{PREFIX}test"
    path.mkdir()
    return path


@pytest.fixture
def spawn(folder: Path) -> Iterator[Spawn]:
    """Starts a Python program as part of the run; returns once it has printed a line, with the process of the number that it printed."""
    started: list[subprocess.Popen[bytes]] = []
    others: list[psutil.Process] = []

    def run(program: str, *arguments: object, marked: bool = True, ends: bool = False) -> psutil.Process:
        environment = {**os.environ, MARK: str(folder)} if marked else dict(os.environ)
        command = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        assert process.stdout
        others.append(psutil.Process(int(process.stdout.readline())))
        if ends:  # the other process is then an orphan
            process.wait()
        return others[-1]

    yield run
    for other in others:
        with contextlib.suppress(psutil.NoSuchProcess):
            other.kill()
    for process in started:
        process.kill()
        process.communicate()

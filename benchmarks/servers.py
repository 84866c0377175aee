"""A server in a separate process: started, queried, watched, stopped. The service and its peers are all measured through this."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from benchmarks.answers import GivenAnswer
from benchmarks.bare import Runtime
from benchmarks.load import TIMEOUT_S, Upload, parse_body
from serve_app.graph.ray_internals import free_port

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 60

Family = Sequence[psutil.Process]


class NoMetrics(Exception):
    """The server does not say what it counted."""


@dataclass(frozen=True)
class Server:
    """How a server is started.

    Attributes:
        command: `{port}` stands for the port that it is to listen on.
        environment: added to ours; an empty value takes a variable away.
        runtime: of its models; the answers of the bare loop on the same are the right ones.
        count_batches: asks the processes of a running one how many batches its models have run, by model.
        reports_every_s: that number is so many seconds old at most.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    runtime: Runtime = Runtime.EAGER
    count_batches: Callable[[Family], Mapping[str, int]] | None = None
    reports_every_s: float = 0

    def environment_on(self, port: int, home: str) -> dict[str, str]:
        """The whole environment of a process of it, with this port and home folder."""
        changes = {name: value.replace("{port}", str(port)) for name, value in self.environment.items()}
        return {name: value for name, value in (os.environ | {"HOME": home} | changes).items() if value}


class StartFailed(Exception):
    """The server ended, or did not answer in time; the message ends with what it printed."""


class RunningServer:
    """A server that runs while the block lasts; it listens on a free port and has a home folder of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._folder = tempfile.TemporaryDirectory()
        self._output = Path(self._folder.name) / "output.txt"
        command = [part.replace("{port}", str(port)) for part in server.command]
        self._started = time.monotonic()
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=server.environment_on(port, self._folder.name),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._ever: dict[int, psutil.Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.family()
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        for process in self._ever.values():  # psutil never kills another process with a reused id
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._folder.cleanup()

    def upload(self, raw: bool = False) -> Upload:
        """Where and how to send photos."""
        return Upload(f"{self.url}/predict", raw)

    def ask(self, photo: bytes) -> GivenAnswer:
        """Sends one photo.

        Raises:
            OSError, HTTPException: there was no answer.
        """
        upload = self.upload()
        body, headers = upload.request(photo)
        request = Request(upload.url, body, dict(headers))
        try:
            with urlopen(request, timeout=TIMEOUT_S) as response:
                return GivenAnswer.of_body(response.status, parse_body(response.read()))
        except HTTPError as error:
            with error:
                return GivenAnswer.of_body(error.code, parse_body(error.read()))

    def wait_for_first_answer(self, photo: bytes, right: Callable[[GivenAnswer], bool]) -> float:
        """Asks until the answer is right; returns the seconds since the start.

        Raises:
            StartFailed: the server ended, or gave no right answer in time.
        """
        last: object = "it has not answered"
        while time.monotonic() < self._started + START_TIMEOUT_S:
            if self._process.poll() is not None:
                break
            try:
                last = self.ask(photo)
                if right(last):
                    return time.monotonic() - self._started
            except (OSError, HTTPException) as error:
                last = error
            time.sleep(0.1)
        raise StartFailed(f"{self.server.name}: {last}; it printed: ...{self._output.read_text()[-2000:]}")

    def family(self) -> list[psutil.Process]:
        """Its processes."""
        try:
            root = psutil.Process(self._process.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self._ever |= {process.pid: process for process in family}
        return family

    def memory_mb(self) -> float:
        """PSS of all its processes, MB: shared memory is counted once."""
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        return total / 1e6

    def cpu_seconds(self) -> float:
        """CPU time of its processes and of the children that they have waited for."""
        total = 0.0
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def batches(self) -> Mapping[str, int]:
        """How many batches each model has run, after a full reporting interval; empty if the server cannot be asked."""
        if self.server.count_batches is None:
            return {}
        time.sleep(self.server.reports_every_s)
        try:
            return self.server.count_batches(self.family())
        except (NoMetrics, OSError):
            return {}

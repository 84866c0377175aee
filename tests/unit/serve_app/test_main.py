"""What `make serve` checks before it starts anything, and how it ends when the service does."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serve_app.__main__ import main
from serve_app.graph.ray_internals import free_port
from serve_app.settings import COLOCATED_CONFIG, SERVE_CONFIG, Settings, get_settings
from serve_app.supervisor import driver
from tests.unit.serve_app.supervisor.test_stop import SIGNALS

Pretend = Callable[[str], None]

ROOT = Path(__file__).parents[3]
CONFIGS = (SERVE_CONFIG, COLOCATED_CONFIG)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder with a config, settings that are read anew, and this process's own handlers of signals afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("API_PORT", str(free_port()))
    for config in CONFIGS:
        Path(config).write_text("{}")
    get_settings.cache_clear()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    get_settings.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Runs a Python program in the driver's place."""

    def replace(program: str) -> None:
        def start(config: Path, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-c", program, folder], env=environment, start_new_session=True)

        monkeypatch.setattr(driver, "start", start)

    return replace


def test_a_port_that_is_taken_is_said_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("API_PORT", str(port))
        assert main([]) == 1
    assert f"Port {port} is taken by another program" in capsys.readouterr().err


LEFT = """
import os, socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
waits = [sys.executable, "-c", "import time; time.sleep(1000)"]
null = subprocess.DEVNULL
print(subprocess.Popen(waits, pass_fds=[listener.fileno()], stdout=null, stderr=null, start_new_session=True).pid, flush=True)
"""


def test_what_an_earlier_run_has_left_on_the_port_is_named_with_the_command_that_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    port = os.environ["API_PORT"]
    environment = os.environ | {"DRAIN_DIR": "/tmp/gender-serve-earlier"}
    left = subprocess.run([sys.executable, "-c", LEFT, port], env=environment, capture_output=True, check=True)
    process = psutil.Process(int(left.stdout))
    assert main([]) == 1
    said = capsys.readouterr().err
    assert f"Port {port} is taken by an earlier run of the service. This ends it: " in said
    subprocess.run(shlex.split(said.splitlines()[-1].partition("ends it: ")[2]), check=True)
    assert psutil.wait_procs([process], timeout=20)[1] == []


def test_outside_of_a_checkout_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    for config in CONFIGS:
        Path(config).unlink()
    assert main([]) == 1
    assert f"There is no {Settings().effective_serve_config} here" in capsys.readouterr().err


def test_a_cluster_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    assert main([]) == 1
    assert "RAY_ADDRESS=127.0.0.1" in capsys.readouterr().err


def test_joining_a_cluster_says_which_settings_reach_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pretend: Pretend
) -> None:
    pretend("raise SystemExit(0)")
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{cluster.getsockname()[1]}")
        assert main([]) == 1
    said = capsys.readouterr().out
    assert "Joining the Ray cluster" in said
    assert "do not reach" in said


@pytest.mark.parametrize("status", [0, 3])
def test_a_service_that_ends_by_itself_is_a_failure(status: int, pretend: Pretend, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(f"raise SystemExit({status})")
    assert main([]) == 1
    assert f"The service has ended by itself, with status {status}" in capsys.readouterr().err


# A driver that leaves another process behind, and asks `make serve` to stop.
STOPPED = """
import os, signal, subprocess, sys, time
from pathlib import Path
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
Path("left").write_text(str(left.pid))
Path("folder").write_text(sys.argv[1])
os.kill(os.getppid(), signal.SIGHUP)
time.sleep(1000)
"""


def test_at_the_end_no_process_and_no_file_is_left(pretend: Pretend, tmp_path: Path) -> None:
    pretend(STOPPED)
    assert main([]) == 0
    assert not psutil.pid_exists(int((tmp_path / "left").read_text()))
    assert not Path((tmp_path / "folder").read_text()).exists()


# A healthy service of one process, with a part that has Ray's name, and that dies once the service was found healthy.
BREAKS = """
import shutil, subprocess, threading, os, json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
shutil.copy(shutil.which("sleep"), "raylet")
raylet = subprocess.Popen(["./raylet", "1000"])
class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "healthy"}).encode())
threading.Thread(target=lambda: (Path("break").open().read(), raylet.kill()), daemon=True).start()
HTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Health).serve_forever()
"""


def test_a_broken_cluster_ends_the_service_with_words_and_a_status(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "break")
    (tmp_path / "driver.py").write_text(BREAKS)
    program = (
        "import subprocess, sys\nfrom serve_app.supervisor import driver\n"
        "driver.start = lambda config, folder, environment: subprocess.Popen([sys.executable, 'driver.py'], env=environment)\n"
        "from serve_app.__main__ import main\nsys.exit(main([]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=pipe, stderr=pipe, text=True) as supervisor:
        assert supervisor.stdout
        while "Stop:" not in (line := supervisor.stdout.readline()):
            assert line
        (tmp_path / "break").open("w").close()
        _, said = supervisor.communicate()
    assert supervisor.returncode == 1
    assert "Ray's node manager (raylet) has ended" in said


@pytest.mark.parametrize("option", ["--help"])
def test_it_has_a_help(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([option])
    assert "--end-with-parent" in capsys.readouterr().out

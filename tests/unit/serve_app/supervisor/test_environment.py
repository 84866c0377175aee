"""The variables of Ray's processes in `make serve`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serve_app.graph.ray_internals import ONLY_HERE
from serve_app.settings import Settings
from serve_app.supervisor.environment import environment
from serve_app.supervisor.processes import MARK

SETTINGS = Settings(_env_file=None, api_host="0.0.0.0")

# Waits for a server of this process, at an address of this machine.
CALL = """
import os
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
grpc.channel_ready_future(grpc.insecure_channel(f"127.0.0.1:{port}")).result(timeout=float(os.environ["PATIENCE_S"]))
os._exit(0)
"""


@pytest.mark.parametrize("named", [None, "example.com", "example.com, 127.0.0.1"])
def test_calls_within_this_machine_avoid_a_proxy(named: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if named:
        monkeypatch.setenv("NO_PROXY", named)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    variables = environment(SETTINGS, tmp_path, joining=False)
    assert variables["http_proxy"]  # for downloads of models
    assert variables["no_proxy"].split(",")[0] == ("example.com" if named else "localhost")
    assert variables["no_proxy"].count("127.0.0.1") == 1
    subprocess.run([sys.executable, "-c", CALL], env=variables | {"PATIENCE_S": "60"}, check=True)


def test_what_the_user_has_set_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert environment(SETTINGS, tmp_path, joining=False)["RAY_AUTH_MODE"] == "disabled"
    monkeypatch.delenv("RAY_AUTH_MODE")
    assert environment(SETTINGS, tmp_path, joining=False)["RAY_AUTH_MODE"] == "token"


def test_programs_find_the_python_of_the_service(tmp_path: Path) -> None:
    path = environment(SETTINGS, tmp_path, joining=False)["PATH"]
    assert shutil.which("python3", path=path) == str(Path(sys.executable).with_name("python3"))


def test_only_a_cluster_of_our_own_stays_on_this_machine(tmp_path: Path) -> None:
    own, joined = (environment(SETTINGS, tmp_path, joining=joining) for joining in (False, True))
    assert own.items() >= ONLY_HERE.items()
    assert not joined.keys() & ONLY_HERE.keys()
    assert own[MARK] == joined[MARK] == str(tmp_path)

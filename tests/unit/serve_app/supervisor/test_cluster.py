"""A dead part of Ray that nobody replaces is noticed."""

import shutil
import socket
from pathlib import Path

import psutil
import pytest

from serve_app.settings import Settings
from serve_app.supervisor.cluster import VITAL, Cluster
from tests.unit.serve_app.supervisor.conftest import Spawn


@pytest.fixture
def vital(folder: Path, tmp_path: Path) -> dict[str, psutil.Popen]:
    """Programs with the names of Ray's, as parts of the run."""
    running = {}
    for name in VITAL:
        program = tmp_path / name
        shutil.copy(shutil.which("sleep") or "", program)
        running[name] = psutil.Popen([program, "1000"], env={"DRAIN_DIR": str(folder)})
        while running[name].name() != name:
            pass  # until it has become that program
    return running


@pytest.mark.parametrize("name", sorted(VITAL))
def test_what_has_died_is_named(name: str, folder: Path, vital: dict[str, psutil.Popen]) -> None:
    cluster = Cluster(folder, Settings(_env_file=None))
    try:
        assert cluster.broken() is None
        vital[name].kill()
        while cluster.broken() is None:
            pass  # until the kernel has ended it
        assert cluster.broken() == f"{VITAL[name]} has ended"
    finally:
        for process in vital.values():
            process.kill()
            process.wait()


def test_of_a_cluster_that_others_keep_nothing_is_expected(folder: Path, spawn: Spawn) -> None:
    spawn("import os; print(os.getpid(), flush=True); input()")
    assert Cluster(folder, Settings(_env_file=None)).broken() is None


def test_a_port_on_which_nothing_listens_any_more_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_S", "PORT_GONE_S"):
        monkeypatch.setattr(f"serve_app.supervisor.cluster.{name}", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as service:
        settings = Settings(_env_file=None, api_port=service.getsockname()[1])
        cluster = Cluster(folder, settings)
        assert cluster.broken() is None
    assert cluster.broken() == f"Nothing listens on port {settings.api_port} any more"

"""What `make serve` checks before it starts anything, and how it ends a service that does not stop."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from serve_app.__main__ import CONFIG, Stop, main, stop_service
from serve_app.settings import get_settings


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    CONFIG.write_text("{}")
    for name in (
        "RAY_AUTH_MODE",
        "RAY_USAGE_STATS_ENABLED",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S",
    ):
        monkeypatch.setenv(name, "")  # main() sets what is unset; monkeypatch restores it
    get_settings.cache_clear()


def test_a_port_that_is_taken_is_said_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("API_PORT", str(port))
        assert main() == 1
    assert f"Port {port} is taken" in capsys.readouterr().err


def test_outside_of_a_checkout_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    CONFIG.unlink()
    assert main() == 1
    assert "There is no serve_config.yaml here" in capsys.readouterr().err


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]).pid, flush=True)
time.sleep(1000)
"""


def test_a_service_that_does_not_stop_is_killed_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STOP_S", "SEND_S"):
        monkeypatch.setattr(f"serve_app.__main__.{name}", 0.0)
    service = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert service.stdout
    with service.stdout:
        child = psutil.Process(int(service.stdout.readline()))
    stop_service(service, tmp_path, Stop())
    assert service.returncode == -signal.SIGKILL
    assert psutil.wait_procs([child], timeout=20)[1] == []

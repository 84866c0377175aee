"""`make serve` before it starts anything."""

import socket
from pathlib import Path

import pytest

from serve_app.__main__ import main
from serve_app.settings import get_settings


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "RAY_AUTH_MODE",
        "RAY_USAGE_STATS_ENABLED",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S",
    ):
        monkeypatch.setenv(name, "")  # main() sets what is unset; this puts back what was there
    get_settings.cache_clear()


def test_a_port_that_is_taken_is_said_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("API_PORT", str(port))
        assert main() == 1
    assert f"Port {port} is taken" in capsys.readouterr().err

"""Where the service is asked, and what for."""

import pytest

from serve_app.settings import Settings
from serve_app.supervisor.health import address_of, is_healthy
from tests.support.http import FakeService
from tests.unit.serve_app.commands.test_smoke import running


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://localhost:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::", "http://localhost:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
        ("fe80::1", "http://[fe80::1]:8000"),
    ],
)
def test_the_address_can_be_typed(host: str, address: str) -> None:
    assert address_of(Settings(_env_file=None, api_host=host)) == address


def test_a_proxy_for_the_world_is_none_for_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with running(FakeService()) as url:
        settings = Settings(_env_file=None, api_port=int(url.rpartition(":")[2]))
        assert is_healthy(settings)
    assert not is_healthy(settings)

"""Ray's dashboard is started by who asks for it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from serve_app.supervisor.dashboard import DashboardDoor


class Pretended(BaseHTTPRequestHandler):
    """A dashboard that answers with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def dashboard() -> Iterator[str]:
    """The address of a running one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pretended) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_starts_once_when_it_is_first_asked(dashboard: str) -> None:
    started: list[str] = []

    def start() -> str:
        started.append(dashboard)
        return dashboard

    door = DashboardDoor(start)
    assert not started
    with httpx.Client(trust_env=False) as client:
        for body in (b"config", b"x" * 1_000_000):
            assert client.post(f"http://{door.address}/api", content=body).content == body
    assert httpx.post(f"http://{door.address}/api", content=b"another", trust_env=False).content == b"another"
    assert started == [dashboard]


def test_a_start_that_fails_is_tried_again_by_the_next_one(dashboard: str) -> None:
    addresses = iter(["", dashboard])
    door = DashboardDoor(lambda: next(addresses))
    with pytest.raises(httpx.TransportError):
        httpx.post(f"http://{door.address}/", content=b"1", trust_env=False)
    assert httpx.post(f"http://{door.address}/", content=b"2", trust_env=False).content == b"2"


def test_two_services_on_one_machine_have_a_dashboard_each(dashboard: str) -> None:
    one, other = (DashboardDoor(lambda: dashboard) for _ in range(2))
    assert one.address != other.address

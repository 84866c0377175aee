"""HAProxy with the configuration that the installed Ray writes for it, and our changes."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig, get_haproxy_binary
from ray.serve._private.haproxy_metrics import HAProxyMetricsCollector
from ray.serve.config import HTTPOptions

from serve_app.codes import Code
from serve_app.graph import haproxy
from serve_app.graph.haproxy import CONTROL_HEADERS, HOST_VARIABLE, adapted, max_connections
from serve_app.graph.ray_internals import free_port
from serve_app.http import faults, middleware
from serve_app.http.answers import Fault

PROGRAM = Path(haproxy.__file__)

Start = Callable[..., "Running"]


class Running:
    """A running HAProxy."""

    def __init__(self, folder: Path, replica: int | None, host: str, open_files: int) -> None:
        self.port, self.stats, self.metrics = free_port(), free_port(), free_port()
        self.config = folder / "haproxy.cfg"
        self.counted = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # Ray's collector listens here
        self.counted.bind(str(folder / "metrics.sock"))
        self.counted.settimeout(30)
        self.socket = folder / "admin.sock"
        ray = HAProxyApi(
            HAProxyConfig(
                http_options=HTTPOptions(host="127.0.0.1", port=self.port),
                stats_port=self.stats,
                metrics_port=self.metrics,
                socket_path=str(self.socket),
                server_state_base=str(folder),
                server_state_file=str(folder / "state"),
                metrics_socket_path=str(folder / "metrics.sock"),
                is_head=True,
                has_received_routes=True,
            ),
            config_file_path=str(self.config),
        )
        if replica:
            server = ServerConfig("replica", "127.0.0.1", replica)
            ray.set_backend_configs({"http-gender": BackendConfig("http-gender", path_prefix="/", app_name="gender", servers=[server])})
        ray._generate_config_file_internal()
        self.log = folder / "stderr.log"
        # As in `make serve`, the Python of the service comes first.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with self.log.open("w") as log:
            limited = ["prlimit", f"--nofile={open_files}"] if open_files < 65536 else []
            command = [*limited, str(PROGRAM), "-db", "-f", str(self.config), "-dR"]
            environment = os.environ | {"PATH": path, HOST_VARIABLE: host, "RAY_SERVE_HAPROXY_BINARY_PATH": str(PROGRAM)}
            self.process = subprocess.Popen(command, env=environment, stderr=log)
        self.url = f"http://127.0.0.1:{self.port}"
        while not self.socket.exists():
            assert self.process.poll() is None, self.log.read_text()

    def ask(self, **options: object) -> httpx.Response:
        """The answer to a photo."""
        return httpx.post(f"{self.url}/predict", content=b"a photo", trust_env=False, timeout=30, **options)  # type: ignore[arg-type]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def run(replica: int | None = None, host: str = "127.0.0.1", open_files: int = 65536) -> Running:
        started.append(Running(tmp_path, replica, host, open_files))
        return started[-1]

    yield run
    for each in started:
        each.process.kill()
        each.process.wait()
        each.counted.close()


class Replica(BaseHTTPRequestHandler):
    """Answers with the headers that it got, and with the status and the type that two of them name."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.send_response(int(self.headers.get("wanted-status", 200)))
        self.send_header("content-type", self.headers.get("wanted-type", "text/html"))
        self.send_header("content-length", str(len(body := str(self.headers).lower().encode())))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def replica() -> Iterator[int]:
    """The port of a replica."""
    with HTTPServer(("127.0.0.1", 0), Replica) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def is_polite_refusal(answer: httpx.Response) -> bool:
    body = answer.json()
    assert body == Fault.of(Code.OVERLOADED, body["request_id"]).model_dump(mode="json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == str(faults.RETRY_AFTER_S)
    assert answer.headers["x-request-id"] == body["request_id"]
    return answer.status_code == 503


def test_every_text_that_we_change_is_still_there(start: Start) -> None:
    assert "not in Ray's configuration" not in start(9).log.read_text()


def test_a_text_that_has_changed_is_left_alone_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert adapted("global\n") == "global\n"
    assert "not in Ray's configuration" in capsys.readouterr().err


def test_before_there_is_a_replica_clients_are_asked_to_try_again(start: Start) -> None:
    assert is_polite_refusal(start().ask())


def test_while_no_replica_can_be_reached_clients_are_asked_to_try_again(start: Start) -> None:
    assert is_polite_refusal(start(replica=free_port()).ask())


def test_a_head_is_healthy_once_there_is_a_replica(start: Start) -> None:
    """KubeRay and the load balancer ask for this. Ray says so at once, because it calls the head an address that is always there."""
    assert "ready_for_traffic" in (running := start()).config.read_text()
    assert httpx.get(f"{running.url}/-/healthz", trust_env=False).status_code == 503


def test_a_head_with_a_replica_is_healthy(start: Start, replica: int) -> None:
    answer = httpx.get(f"{start(replica).url}/-/healthz", trust_env=False)
    assert (answer.status_code, answer.text) == (200, "success")


def test_a_well_formed_id_is_kept_and_another_one_replaced(start: Start) -> None:
    running = start()
    assert running.ask(headers={"x-request-id": "mine-1"}).json()["request_id"] == "mine-1"
    for bad in ("not well-formed", "x" * 65):
        answer = running.ask(headers={"x-request-id": bad})
        assert is_polite_refusal(answer)
        assert answer.json()["request_id"] != bad
    assert f"^{middleware._WELL_FORMED.pattern}$" == haproxy.WELL_FORMED_ID


def test_a_replicas_answer_passes_and_a_clients_control_headers_do_not(start: Start, replica: int) -> None:
    running = start(replica)
    names = [*CONTROL_HEADERS, *(name.replace("-", "_").upper() for name in CONTROL_HEADERS)]
    headers = dict.fromkeys(names, "0") | {"x-request-id": "kept", "x-session-id-of-ours": "kept"}
    while (answer := running.ask(headers=headers)).status_code != 200:
        assert is_polite_refusal(answer)
    assert {"x-request-id: kept", "x-session-id-of-ours: kept"} <= set(answer.text.splitlines())
    assert not {name.lower() for name in names} & {line.partition(":")[0] for line in answer.text.splitlines()}


def test_the_clients_address_follows_whatever_the_client_says_it_is(start: Start, replica: int) -> None:
    running = start(replica)
    while (answer := running.ask(headers={"x-forwarded-for": "198.51.100.7"})).status_code != 200:
        assert is_polite_refusal(answer)
    forwarded = [line.partition(": ")[2] for line in answer.text.splitlines() if line.startswith("x-forwarded-for: ")]
    assert forwarded == ["198.51.100.7", "127.0.0.1"]


def said(port: int, request: bytes, closing: bool = False) -> bytes:
    """All that HAProxy sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        if closing:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_client_that_closes_its_side_before_the_answer_is_told_so_in_our_words(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # as a replica that is still at work
        running = start(silent.getsockname()[1])
        request = b"GET /predict HTTP/1.1\r\nHost: here\r\nX-Request-Id: mine-1\r\n\r\n"
        while (answer := said(running.port, request, closing=True)).startswith(b"HTTP/1.1 503"):
            pass  # until HAProxy has seen the replica
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert {b"content-type: application/json", b"x-request-id: mine-1"} <= set(head.split(b"\r\n"))
    assert json.loads(body) == Fault.of(Code.BAD_REQUEST, "mine-1", haproxy.CLOSED).model_dump(mode="json")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"no HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: here\r\nCookie: " + b"a" * 40_000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 422),
    ],
    ids=["malformed", "headers too long", "an encoding of transfer", "two of them"],
)
def test_what_its_parser_refuses_is_not_ours_to_word(request_: bytes, status: int, start: Start) -> None:
    """Should a new HAProxy change that, README.md lists these."""
    answer = said(start().port, request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"text/html" in answer


@pytest.mark.parametrize("status", [404, 503])
def test_serves_own_refusals_become_ours_and_the_apps_stay(status: int, start: Start, replica: int) -> None:
    running = start(replica)
    while (running.ask()).status_code != 200:
        pass  # until HAProxy has seen the replica
    wanted = {"wanted-status": str(status)}
    assert is_polite_refusal(running.ask(headers=wanted | {"wanted-type": "text/plain; charset=utf-8"}))
    answer = running.ask(headers=wanted | {"wanted-type": "application/json"})
    assert answer.status_code == status
    assert "wanted-status" in answer.text


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1")])
def test_requests_come_in_where_they_should_and_all_else_stays_on_this_machine(start: Start, host: str, address: str) -> None:
    if ":" in host:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    running = start(host=host)
    listening = {each.laddr for each in psutil.Process(running.process.pid).net_connections() if each.status == psutil.CONN_LISTEN}
    assert listening == {(address, running.port), ("127.0.0.1", running.stats), ("127.0.0.1", running.metrics)}


def test_others_cannot_command_it(start: Start) -> None:
    assert start().socket.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("limit", [1000, 8192])
def test_it_starts_with_as_many_connections_as_the_limit_of_open_files_allows(limit: int, start: Start) -> None:
    running = start(open_files=limit)
    assert f"maxconn {max_connections(limit)}" in running.config.read_text()
    assert is_polite_refusal(running.ask())


def counted(running: Running) -> tuple[str | None, str | None]:
    """Application and status of the request that Ray counts next."""
    parsed = HAProxyMetricsCollector.parse_line(running.counted.recv(8192))
    assert parsed
    return parsed.app, parsed.status_code


def test_what_a_replica_answers_is_counted_for_its_application(start: Start, replica: int) -> None:
    running = start(replica)
    running.ask()
    assert counted(running) == ("gender", "200")


def test_what_haproxy_refuses_itself_is_counted_for_no_application(start: Start) -> None:
    running = start()
    running.ask()
    assert counted(running) == (None, "503")
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"no HTTP\r\n\r\n")
        client.recv(8192)
    assert counted(running) == (None, "400")


def test_in_pods_the_addresses_are_rays(start: Start) -> None:
    config = start().config.read_text()
    rays = re.sub(r"bind 127\.0\.0\.1:", "bind *:", config)
    binds = re.compile(r"^ *bind .*$", re.MULTILINE)
    assert binds.findall(adapted(rays)) == binds.findall(rays)


def test_half_a_header_holds_no_connection(start: Start) -> None:
    original = start()
    original.process.kill()
    original.process.wait()
    (limit,) = re.findall(r"timeout http-request (\d+)s", original.config.read_text())
    assert int(limit) == haproxy.HEADERS_S
    original.config.write_text(original.config.read_text().replace(f"timeout http-request {limit}s", "timeout http-request 100ms"))
    process = subprocess.Popen([get_haproxy_binary(), "-db", "-f", original.config], stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", original.port), timeout=30)
                break
            except ConnectionRefusedError:
                assert process.poll() is None
        with client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 408")
    finally:
        process.kill()
        process.wait()

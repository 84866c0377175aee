"""`make serve` as a user runs it: readiness, answers, logs and metrics."""

import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from serve_app.graph.ray_internals import free_port
from serve_app.http.draining import REQUESTS
from tests.serve.test_stream import stream
from tests.support import photos
from tests.support.processes import kill, named, of_each
from tests.support.service import RunningService

FILE_NAME = "a-very-private-name.jpg"


def metrics(service: RunningService) -> str:
    """What Prometheus would read."""
    (discovered,) = json.loads((service.session_dir / "prom_metrics_service_discovery.json").read_text())
    return "\n".join(httpx.get(f"http://{target}/metrics").text for target in discovered["targets"])


def test_it_says_when_it_is_ready_and_how_to_go_on(service: RunningService) -> None:
    assert service.url.replace("127.0.0.1", "localhost") in service.output
    assert "dashboard" in service.output
    assert "get-auth-token" in service.output


def test_it_logs_codes_and_times_but_no_names(service: RunningService) -> None:
    headers = {"x-request-id": "told-by-the-client"}
    with httpx.Client(base_url=service.url, timeout=60) as client:
        answer = client.post("/predict", files={"file": (FILE_NAME, photos.cameraman(), "image/jpeg")}, headers=headers)
        assert answer.json()["code"] == "ok"
    while not (found := [line for line in service.log_lines() if line.get("photo_request_id") == "told-by-the-client"]):
        pass  # it is written after the answer
    (line,) = found
    assert line["code"] == "ok"
    assert {"decode_ms", "detect_ms", "crop_ms", "classify_ms", "total_ms"} <= line.keys()
    assert FILE_NAME not in json.dumps(service.log_lines())
    assert FILE_NAME not in service.output


def test_a_malformed_request_id_is_replaced(service: RunningService) -> None:
    answer = httpx.get(f"{service.url}/health", headers={"x-request-id": "not well-formed"})
    (request_id,) = answer.headers.get_list("x-request-id")
    assert request_id != "not well-formed"


@pytest.mark.parametrize(
    "metric",
    [
        'ray_gender_answers_total{[^}]*code="ok"',
        'ray_gender_confidence_bucket{[^}]*label="(fe)?male"',
        'ray_gender_stage_seconds_bucket{[^}]*stage="detect"',
        'ray_gender_batch_size_bucket{[^}]*model="detector"',
        'ray_gender_batch_size_bucket{[^}]*model="classifier"',
    ],
)
def test_it_counts(service: RunningService, metric: str) -> None:
    httpx.post(f"{service.url}/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"}, timeout=60)
    while not re.search(metric, metrics(service)):
        pass  # Ray reports every few seconds; the test's time limit bounds the wait


def test_the_dashboard_asks_for_the_token(service: RunningService) -> None:
    first = 120  # seconds: the dashboard starts when it is asked
    assert httpx.get(f"{service.dashboard}/api/serve/applications/", timeout=first).status_code == 401


def test_nothing_listens_to_other_machines_but_the_calls_between_replicas(service: RunningService) -> None:
    """Those ask for the token; README.md has the line that closes them."""
    listening = [
        (" ".join(command), connection.laddr)
        for command, connections in of_each(service.family, lambda process: (process.cmdline(), process.net_connections("inet"))).values()
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    ]
    assert ("127.0.0.1", service.port) in [address for _, address in listening]
    open_to_others = [(name, address) for name, address in listening if address.ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")]
    assert all(name.startswith("ray::ServeReplica") and address.ip == "::" for name, address in open_to_others), open_to_others
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert all(first <= address.port <= last for _, address in open_to_others)


def test_nothing_runs_that_nobody_uses(service: RunningService) -> None:
    commands = "\n".join(" ".join(command) for command in of_each(service.family, psutil.Process.cmdline).values())
    assert "ray::ServeController" in commands
    for unused in ("ray::ProxyActor", "log_monitor.py", "monitor.py"):
        assert unused not in commands


def test_no_worker_of_ray_has_pandas(service: RunningService) -> None:
    maps = of_each(service.family, lambda process: (process.name(), {each.path for each in process.memory_maps()}))
    workers = {name: files for name, files in maps.values() if name.startswith("ray::Serve")}
    assert len(workers) > 3
    assert not {name for name, files in workers.items() if any("/pandas/" in file for file in files)}


def test_every_process_has_the_niceness_of_make_serve(service: RunningService) -> None:
    """Ray's own default would be 15 for replicas."""
    nice = of_each(service.family, lambda process: (process.nice(), process.name()))
    assert {each for each in nice.values() if each[0] != psutil.Process(service.process.pid).nice()} == set()


def test_the_smoke_test_passes(service: RunningService) -> None:
    command = [sys.executable, "-m", "serve_app.commands.smoke", service.url]
    smoke = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr


@pytest.fixture
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A separate service, which the test may stop."""
    service = RunningService(free_port(), tmp_path_factory.mktemp("stopped"))
    try:
        service.wait_until_ready()
        assert len(service.family) > 5
        yield service
    finally:
        service.kill()


@contextlib.contextmanager
def half_an_upload(service: RunningService) -> Iterator[http.client.HTTPConnection]:
    """A request whose last byte is missing."""
    body = photos.cameraman()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:-1])
    while not shown_in_flight(service):
        pass  # until the request has reached the replica
    yield connection
    connection.close()


def shown_in_flight(service: RunningService) -> bool:
    """Whether an ingress replica reports a request in flight (see serve_app.http.draining)."""
    paths = {file.path for files in of_each(service.family, psutil.Process.open_files).values() for file in files}
    return any(path.endswith(f"/{REQUESTS}") for path in paths)


def test_from_its_first_moment_it_answers(service: RunningService) -> None:
    answers = {"no connection", "503 overloaded", "200 multiple_people", "200 no_person", "200 ok", "200 unsure"}
    assert service.heard_while_starting <= answers
    assert "503 overloaded" in service.heard_while_starting


def test_when_haproxy_dies_it_is_replaced_and_clients_are_asked_to_try_again(service: RunningService) -> None:
    kill(named(psutil.Process(service.process.pid).children(recursive=True), "haproxy"))
    while (heard := service.hear()) != "200 no_person":
        assert heard in ("no connection", "503 overloaded")


def test_when_it_is_killed_nothing_is_left(stoppable: RunningService) -> None:
    family = psutil.Process(stoppable.process.pid).children(recursive=True)
    stoppable.process.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_when_rays_control_service_dies_it_says_so_and_ends(stoppable: RunningService) -> None:
    (control,) = named(stoppable.family, "gcs_server")
    control.kill()
    assert stoppable.process.wait(30) == 1
    assert "gcs_server) has ended" in stoppable.output
    _, alive = psutil.wait_procs(stoppable.family, timeout=20)
    assert alive == []


async def test_told_to_stop_it_answers_what_is_in_flight_admits_no_more_and_leaves_no_process(stoppable: RunningService) -> None:
    with half_an_upload(stoppable) as connection:
        async with stream(stoppable.url) as streaming, httpx.AsyncClient(base_url=stoppable.url) as client:
            await streaming.send(photos.cat() + b"\0" * 500_000)  # so many bytes that it may be silent for a while
            assert (await streaming.line())["code"] == "no_person"
            stoppable.process.send_signal(signal.SIGTERM)
            while (await client.get("/health")).status_code != 503:
                pass  # each poll is a request
            refused = await client.post("/predict", content=photos.cat(), headers={"content-type": "image/jpeg"})
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
            await streaming.send(photos.cat())
            while "index" in (last := await streaming.line()):
                pass  # the photo is answered if it arrived in one piece
            assert last["code"] == "overloaded"
        connection.send(photos.cameraman()[-1:])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (200, "ok")
    assert stoppable.process.wait(15) == 0
    _, alive = psutil.wait_procs(stoppable.family, timeout=20)
    assert alive == []


def test_told_to_stop_twice_it_stops_at_once_and_leaves_no_process(stoppable: RunningService) -> None:
    with half_an_upload(stoppable):
        stoppable.process.send_signal(signal.SIGINT)
        while "Stopping" not in stoppable.output:
            pass
        stoppable.process.send_signal(signal.SIGINT)
        assert stoppable.process.wait(15) == 0
    _, alive = psutil.wait_procs(stoppable.family, timeout=20)
    assert alive == []

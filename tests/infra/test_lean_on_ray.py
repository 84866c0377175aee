"""The graph of the `lean` manifest, on a Ray head started as KubeRay starts it: ready without a worker, with its models scaled to zero.

The last test starts a worker, as Kubernetes would when a photo arrives.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from serve_app.commands.smoke import Service, drawn_image
from serve_app.graph.haproxy import HEADERS_S
from serve_app.graph.ray_internals import IMAGE_FOLDER, IN_PODS, free_port, on_this_machine
from tests.infra.manifests import K8S, ROOT, ray_cluster, render, serve_config_of
from tests.support.processes import kill, named, of_each

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SERVE = [sys.executable, "-m", "ray.serve.scripts"]


@dataclass(frozen=True)
class Lean:
    """The running head: its proxy, what that has answered so far, and what a worker needs to join.

    Attributes:
        heard: the status and code of each answer from the first moment to the first of the graph.
        process: the head.
    """

    url: str
    heard: set[str]
    process: psutil.Process
    address: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def lean() -> Iterator[Lean]:
    rendered = render(K8S / "overlays/lean")
    cpus = ray_cluster(rendered)["headGroupSpec"]["rayStartParams"]["num-cpus"]
    config = serve_config_of(rendered)
    config["http_options"] |= {"host": "127.0.0.1", "port": free_port()}
    config["proxy_location"] = "HeadOnly"  # each pod has its own address; here the worker's proxy would need the head's port
    ports = {
        name: free_port()
        for name in ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port", "metrics-export-port")
    }
    options = [f"--{name}={port}" for name, port in ports.items()]
    # A short path, not pytest's: the paths of Ray's sockets are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        # As the image has it, in this checkout.
        in_pods = {name: value.replace(str(IMAGE_FOLDER), str(ROOT)) for name, value in IN_PODS.items()}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | on_this_machine() | in_pods | {"PATH": path, "PYTHONPATH": str(ROOT)}
        command = [
            *RAY,
            "start",
            "--head",
            "--block",
            f"--num-cpus={cpus}",
            f"--temp-dir={folder}",
            "--object-store-memory=100000000",
            *options,
        ]
        head = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            written = Path(folder) / "serve.yaml"
            written.write_text(yaml.safe_dump(config))
            dashboard = f"http://127.0.0.1:{ports['dashboard-port']}"
            _until_reachable(dashboard, head)
            deploy = subprocess.Popen([*SERVE, "deploy", written, "--address", dashboard], env=environment, stdout=subprocess.DEVNULL)
            proxy = f"http://127.0.0.1:{config['http_options']['port']}"
            heard = _until_answered(proxy, head)  # from the first moment, which is before the command ends
            assert deploy.wait() == 0
            yield Lean(proxy, heard, psutil.Process(head.pid), f"127.0.0.1:{ports['port']}", environment)
        finally:
            _end(head)


def test_from_the_first_moment_clients_are_asked_to_try_again(lean: Lean) -> None:
    assert lean.heard == {"503 overloaded", "200"}


def test_haproxy_has_our_configuration(lean: Lean) -> None:
    """As KubeRay's pods run it: Ray starts it by itself, without `make serve`."""
    ours = f"timeout http-request {HEADERS_S}s"
    while not (configs := _configs_of_haproxy(lean.process)) or not all(ours in config for config in configs):
        pass  # for each change Ray writes the file, and then starts the program that adapts it
    assert all("bind 127.0.0.1:" in config for config in configs)  # as serve_config.yaml says, not for all addresses


def _configs_of_haproxy(head: psutil.Process) -> list[str]:
    commands = of_each(named(head.children(recursive=True), "haproxy"), psutil.Process.cmdline)  # Ray starts another one for each change
    return [Path(command[command.index("-f") + 1]).read_text() for command in commands.values() if command]


def test_the_ingress_answers_and_the_models_sleep(lean: Lean) -> None:
    service = Service(lean.url)
    assert service.get("/").status == 200
    assert (service.get("/health").status, service.get("/health").body["status"]) == (503, "unavailable")
    reply = service.post("/predict", drawn_image(), "image/png")
    assert (reply.status, reply.body["code"]) == (503, "overloaded")


def test_kuberays_probe_passes_on_the_head(lean: Lean) -> None:
    """The probe looks for this word in wget's output."""
    with urllib.request.urlopen(f"{lean.url}/-/healthz", timeout=5) as answer:
        assert "success" in answer.read().decode()


def test_the_public_prefix_is_the_edges_business(lean: Lean) -> None:
    with urllib.request.urlopen(f"{lean.url}/openapi.json", timeout=30) as answer:
        assert json.load(answer)["paths"].keys() >= {"/predict", "/health"}


def test_a_photo_wakes_the_models_once_there_is_a_worker(lean: Lean) -> None:
    """Until then every photo is answered with `overloaded`; /health wakes no model."""
    (group,) = ray_cluster(render(K8S / "overlays/lean"))["workerGroupSpecs"]
    cpus = group["rayStartParams"]["num-cpus"]
    command = [*RAY, "start", f"--address={lean.address}", "--block", f"--num-cpus={cpus}", "--object-store-memory=100000000"]
    worker = subprocess.Popen(command, env=lean.environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        service = Service(lean.url)
        assert service.get("/health").status == 503
        seen = set()
        while "no_person" not in seen:
            assert worker.poll() is None
            seen.add(service.post("/predict", drawn_image(), "image/png").body["code"])  # the service waits some seconds for the models
        assert seen <= {"overloaded", "no_person"}
        assert service.get("/health").body["status"] == "healthy"
    finally:
        _end(worker)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        kill([psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)])
    process.wait()


def _until_reachable(address: str, head: subprocess.Popen[bytes]) -> None:
    while head.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"Ray ended with {head.returncode}")


def _until_answered(address: str, head: subprocess.Popen[bytes]) -> set[str]:
    """What clients hear until the graph has answered."""
    heard: set[str] = set()
    while head.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(address, timeout=5, trust_env=False)
            is_json = answer.headers["content-type"] == "application/json"
            heard.add(f"{answer.status_code} {answer.json().get('code', '') if is_json else answer.text}".rstrip())
            if answer.status_code == 200:
                return heard
        time.sleep(0.2)
    raise AssertionError(f"Ray ended with {head.returncode}")

"""The graph of the manifest itself, on a Ray started as KubeRay starts the head of `lean`: it is ready with no worker, and asleep."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from serve_app.serve_environment import IN_PODS, on_this_machine
from serve_app.smoke import Service, drawn_image
from tests.infra.manifests import K8S, ray_cluster, render, serve_config_of
from tests.serve.conftest import free_port

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SERVE = [sys.executable, "-m", "ray.serve.scripts"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of its proxy."""
    rendered = render(K8S / "overlays/lean")
    cpus = ray_cluster(rendered)["headGroupSpec"]["rayStartParams"]["num-cpus"]
    config = serve_config_of(rendered)
    config["http_options"] |= {"host": "127.0.0.1", "port": free_port()}
    ports = {
        name: free_port()
        for name in ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port", "metrics-export-port")
    }
    options = [f"--{name}={port}" for name, port in ports.items()]
    # Short, and not in pytest's folder: the paths of Ray's sockets are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        environment = os.environ | on_this_machine() | IN_PODS
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
            subprocess.run([*SERVE, "deploy", written, "--address", dashboard], env=environment, check=True, capture_output=True)
            proxy = f"http://127.0.0.1:{config['http_options']['port']}"
            _until_reachable(f"{proxy}/-/healthz", head)
            yield proxy
        finally:
            family = psutil.Process(head.pid).children(recursive=True)
            head.terminate()
            _, alive = psutil.wait_procs([psutil.Process(head.pid), *family], timeout=30)
            for process in alive:
                process.kill()
            head.wait()


def test_the_ingress_answers_and_the_models_sleep(url: str) -> None:
    service = Service(url)
    assert service.get("/").status == 200
    assert (service.get("/health").status, service.get("/health").body["status"]) == (503, "unavailable")
    reply = service.post("/predict", drawn_image(), "image/png")
    assert (reply.status, reply.body["code"]) == (503, "overloaded")


def test_kuberays_probe_passes_on_the_head(url: str) -> None:
    """It looks for this word in what wget prints."""
    with urllib.request.urlopen(f"{url}/-/healthz", timeout=5) as answer:
        assert "success" in answer.read().decode()


def test_the_public_prefix_is_the_edges_business(url: str) -> None:
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=30) as answer:
        assert json.load(answer)["paths"].keys() >= {"/predict", "/health"}


def _until_reachable(address: str, head: subprocess.Popen[bytes]) -> None:
    while head.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503 and not address.endswith("healthz"):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"Ray ended with {head.returncode}")

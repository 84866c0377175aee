"""One local Ray cluster for all serve tests, and the real service with the embedded models on it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
import yaml
from ray import serve
from ray.serve import Application

from serve_app.app import AppArgs, build

CONFIG = Path(__file__).parents[2] / "serve_config.yaml"


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A Ray cluster with an HTTP proxy on a free port; gives the proxy's address."""
    port = free_port()
    # More logical than real CPUs: each application of the tests wants its own replicas.
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": port, "request_timeout_s": 60})
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


@pytest.fixture
def deploy(cluster: str) -> Iterator[Callable[..., str]]:
    """Runs an application under its own route for one test; gives its address."""
    names: list[str] = []

    def run(application: Application, name: str, **options: Any) -> str:
        if name not in names:
            names.append(name)
        serve.run(application, name=name, route_prefix=f"/{name}", **options)
        return f"{cluster}/{name}"

    yield run
    for name in names:
        serve.delete(name)


@pytest.fixture(scope="session")
def service(cluster: str) -> str:
    """The service as serve_config.yaml builds it, with the embedded models; gives its address."""
    serve.run(build(AppArgs(**config()["args"])), name="gender", route_prefix="/")
    with httpx.Client(base_url=cluster, timeout=60) as client:
        while client.get("/health").status_code != 200:
            pass  # an unavailable graph makes /health wait, so this does not spin
    return cluster


@pytest.fixture
async def client(service: str) -> Any:
    """An HTTP client of the service."""
    async with httpx.AsyncClient(base_url=service, timeout=60) as client:
        yield client


async def until_healthy(client: httpx.AsyncClient) -> dict[str, Any]:
    """Polls /health until the graph can answer; gives its body."""
    while (response := await client.get("/health")).status_code != 200:
        pass  # an unavailable graph makes /health wait, so this does not spin
    body: dict[str, Any] = response.json()
    return body


def config() -> dict[str, Any]:
    """The application of serve_config.yaml."""
    application: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["applications"][0]
    return application


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

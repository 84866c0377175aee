"""The real service with the embedded models, and a Ray cluster for deployments that exist only in tests."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import ray
from ray import serve
from ray.serve import Application

from serve_app.graph.ray_internals import EVERYWHERE, free_port
from tests.support.collector import Collector, collector
from tests.support.service import ROOT, RunningService


@pytest.fixture(scope="package")  # the Tune tests have their own cluster
def cluster() -> Iterator[str]:
    """A Ray cluster with Serve's own HTTP proxy on a free port; yields the proxy's address."""
    port = free_port()
    # As in `make serve` without HAProxy, but dozens of applications come and go here, and each waits for the controller.
    os.environ |= EVERYWHERE | {"RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.1", "PYTHONPATH": str(ROOT)}
    # More logical than physical CPUs: each test application needs its own replicas.
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": port, "request_timeout_s": 60})
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


@pytest.fixture
def deploy(cluster: str) -> Iterator[Callable[..., str]]:
    """Runs an application under its own route for one test; returns its address."""
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
def collecting() -> Iterator[Collector]:
    """Where the service sends its traces."""
    with collector() as collecting:
        yield collecting


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, collecting: Collector) -> Iterator[RunningService]:
    """The service as a user runs it, with the embedded models; it traces those requests that ask for it."""
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collecting.endpoint, "TRACE_SAMPLING_RATIO": "0", "OTEL_BSP_SCHEDULE_DELAY": "500"}
    running = RunningService(free_port(), tmp_path_factory.mktemp("service"), **tracing)
    try:
        running.wait_until_ready()
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture
async def client(service: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the service."""
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        yield client


async def until_healthy(client: httpx.AsyncClient) -> dict[str, Any]:
    """Polls /health until the graph can answer; returns the body."""
    while (response := await client.get("/health")).status_code != 200:
        pass  # /health waits while the graph is unavailable, so this does not spin
    body: dict[str, Any] = response.json()
    return body

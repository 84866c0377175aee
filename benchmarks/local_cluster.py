"""A local Ray cluster with Serve's proxy on a free port, and the replicas on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray import serve
from ray.serve._private.common import ReplicaState

from serve_app.graph.ray_internals import free_port


@contextmanager
def local_serve() -> Iterator[str]:
    """Starts Ray and Serve for the duration of the block; yields the proxy's address."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    port = free_port()
    ray.init(address="local", num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port, "request_timeout_s": 60})
        yield f"http://127.0.0.1:{port}"
        serve.shutdown()
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class ReplicaCount:
    """How many replicas of a deployment are running, and how many are starting."""

    running: int
    starting: int

    @property
    def wanted(self) -> int:
        """The number that Serve has decided on, counted as soon as it has started them."""
        return self.running + self.starting


def replica_count(application: str, deployment: str) -> ReplicaCount:
    """The current replicas of a deployment."""
    states = serve.status().applications[application].deployments[deployment].replica_states
    return ReplicaCount(states.get(ReplicaState.RUNNING, 0), states.get(ReplicaState.STARTING, 0))

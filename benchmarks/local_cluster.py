"""A Ray cluster of our own with Serve's proxy on a free port, and what runs on it."""

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
    """Starts Ray and Serve for the length of the block; gives the proxy's address."""
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
    """How many replicas of a deployment take requests, and how many are about to."""

    running: int
    starting: int

    @property
    def wanted(self) -> int:
        """As many as Serve has decided on, as soon as it has asked for them."""
        return self.running + self.starting


def replica_count(application: str, deployment: str) -> ReplicaCount:
    """The replicas of a deployment now."""
    states = serve.status().applications[application].deployments[deployment].replica_states
    return ReplicaCount(states.get(ReplicaState.RUNNING, 0), states.get(ReplicaState.STARTING, 0))

"""The service on a local Ray cluster of two nodes, one of which can be lost and replaced."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray import serve
from ray._private.node import Node
from ray.cluster_utils import Cluster

from benchmarks.simulated import Pace, build
from serve_app.graph.ray_internals import free_port
from serve_app.settings import Settings

HEAD, OTHER = "head", "other"
PACE = Pace(batch_s=0.2, photo_s=0.0, max_batch_size=8)

Placement = dict[str, dict[str, int]]  # running replicas by deployment and node
# `ray start` as KubeRay has it, but that it ends with the process that started it.
RAY_START = "from serve_app.runtimes.child_process import end_with_parent; end_with_parent(); from ray.scripts.scripts import main; main()"
GRACE_S = 100  # terminationGracePeriodSeconds of the pods, less their preStop

EVERYWHERE: Placement = {name: {HEAD: 1, OTHER: 1} for name in ("Ingress", "PersonDetector", "GenderClassifier")}


class TwoNodes:
    """Controls the process that runs the cluster: a separate one, because the tests' own process is already a driver of another cluster."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self._connection = connection

    def placement(self) -> Placement:
        """Nodes of the running replicas."""
        placement: Placement = self._ask("placement")
        return placement

    def lose_node(self) -> None:
        """Kills all processes of the worker node."""
        self._ask("lose_node")

    def join_node(self) -> None:
        """Adds a node to replace the lost one."""
        self._ask("join_node")

    def end_node(self) -> float | None:
        """Asks the worker node to end, as Kubernetes does with a pod: SIGTERM, and a grace period.

        Returns:
            the seconds until all of it had ended; None if it had not when the grace period was over.
        """
        seconds: float | None = self._ask("end_node")
        return seconds

    def _ask(self, method: str) -> Any:
        self._connection.send(method)
        return self._connection.recv()


@contextmanager
def two_nodes(port: int, *, as_in_a_pod: bool = False) -> Iterator[TwoNodes]:
    """Runs the service within the block, with one replica of each deployment on each node, and HTTP on `port`.

    Args:
        port: of HTTP.
        as_in_a_pod: the worker node is a `ray start --block` of its own, which can be asked to end.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # A short path, not pytest's: the paths of Ray's sockets are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=_run, args=(theirs, port, folder, as_in_a_pod))
        process.start()
        theirs.close()  # so that reading fails when the process has died
        try:
            ours.recv()
            yield TwoNodes(f"http://127.0.0.1:{port}", ours)
            ours.send(None)
            process.join(60)
        finally:
            process.kill()  # Ray's processes end with the one that started them
            process.join()


class _Nodes:
    def __init__(self, port: int, as_in_a_pod: bool) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        ray.init(address=self._cluster.address, log_to_driver=False)
        self._head_id = ray.get_runtime_context().get_node_id()
        self._pod = self._start_pod() if as_in_a_pod else None
        self._other: Node | None = None if as_in_a_pod else self._cluster.add_node(num_cpus=2)
        # A second proxy on this machine would share the port, and the kernel would choose between them.
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port, "request_timeout_s": 120})
        client = serve.context._get_global_client()
        assert client
        self._serve = client
        # Simulated models, which only wait, leave the cores to starting replicas.
        spread = {"num_replicas": 2, "max_replicas_per_node": 1, "ray_actor_options": {"num_cpus": 0.1}}
        app = build(Settings(_env_file=None, request_deadline_s=60), dict.fromkeys(EVERYWHERE, spread), detector=PACE)
        serve.run(app)

    def placement(self) -> Placement:
        details = self._serve.get_serve_details()
        (application,) = details["applications"].values()
        return {
            name: dict(
                Counter(
                    HEAD if replica["node_id"] == self._head_id else OTHER for replica in each["replicas"] if replica["state"] == "RUNNING"
                )
            )
            for name, each in application["deployments"].items()
        }

    def lose_node(self) -> None:
        assert self._other
        self._cluster.remove_node(self._other, allow_graceful=False)

    def join_node(self) -> None:
        self._other = self._cluster.add_node(num_cpus=2)

    def end_node(self) -> float | None:
        assert self._pod
        began = time.monotonic()
        self._pod.terminate()
        try:
            self._pod.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - began

    def _start_pod(self) -> subprocess.Popen[bytes]:
        # Ports of its own: the two nodes share a machine, which pods do not.
        options = ["--num-cpus=2", "--object-store-memory=200000000", "--min-worker-port=0", "--max-worker-port=0"]
        options += [f"--address={self._cluster.address}", f"--dashboard-agent-listen-port={free_port()}", "--block"]
        pod = subprocess.Popen([sys.executable, "-c", RAY_START, "start", *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while sum(node["Alive"] for node in ray.nodes()) < 2 and pod.poll() is None:
            pass  # each poll is a round trip to the head
        assert pod.poll() is None
        return pod

    def stop(self) -> None:
        if self._pod:
            self._pod.kill()
            self._pod.wait()
        ray.shutdown()
        for node in self._cluster.list_all_nodes():
            self._cluster.remove_node(node, allow_graceful=False)


def _run(connection: Connection, port: int, folder: str, as_in_a_pod: bool) -> None:
    os.environ |= {
        "RAY_TMPDIR": folder,  # in the default folder, `ray.init()` of other processes would find and join this cluster
        "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",  # otherwise the head's proxy would send nothing to the other node's ingress
    }
    nodes = _Nodes(port, as_in_a_pod)
    connection.send(None)
    while (method := connection.recv()) is not None:
        connection.send(getattr(nodes, method)())
    nodes.stop()

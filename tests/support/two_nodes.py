"""The service on a local Ray cluster of two nodes, one of which can be lost and replaced."""

import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import ray
from ray import serve
from ray.cluster_utils import Cluster

from benchmarks.simulated import Pace, build
from serve_app.settings import Settings

HEAD, OTHER = "head", "other"
PACE = Pace(batch_s=0.2, photo_s=0.0, max_batch_size=8)

Placement = dict[str, dict[str, int]]  # running replicas by deployment and node
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

    def _ask(self, method: str) -> Placement:
        self._connection.send(method)
        answer: Placement = self._connection.recv()
        return answer


@contextmanager
def two_nodes(port: int) -> Iterator[TwoNodes]:
    """Runs the service within the block, with one replica of each deployment on each node, and HTTP on `port`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # A short path, not pytest's: the paths of Ray's sockets are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=_run, args=(theirs, port, folder))
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
    def __init__(self, port: int) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        self._other = self._cluster.add_node(num_cpus=2)
        ray.init(address=self._cluster.address, log_to_driver=False)
        self._head_id = ray.get_runtime_context().get_node_id()
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
        self._cluster.remove_node(self._other, allow_graceful=False)

    def join_node(self) -> None:
        self._other = self._cluster.add_node(num_cpus=2)

    def stop(self) -> None:
        ray.shutdown()
        for node in self._cluster.list_all_nodes():
            self._cluster.remove_node(node, allow_graceful=False)


def _run(connection: Connection, port: int, folder: str) -> None:
    os.environ |= {
        "RAY_TMPDIR": folder,  # in the default folder, `ray.init()` of other processes would find and join this cluster
        "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",  # otherwise the head's proxy would send nothing to the other node's ingress
    }
    nodes = _Nodes(port)
    connection.send(None)
    while (method := connection.recv()) is not None:
        connection.send(getattr(nodes, method)())
    nodes.stop()

"""The Ray cluster that training runs on: the one that RAY_ADDRESS names, or a local one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from serve_app.ray_address import problem_with, ray_address
from serve_app.settings import cores
from tune_training.io.errors import InputError


@contextmanager
def ray_cluster() -> Iterator[bool]:
    """Connects to Ray; yields whether the cluster is a local one that was started here.

    RAY_ADDRESS names the cluster, and `ray job submit` sets it. Without it a local cluster is started, without a dashboard, and stopped
    at the end. If Ray is initialised already, it is used and left as it is.
    """
    if ray.is_initialized():
        yield False
        return
    address = ray_address()
    if address and (problem := problem_with(address)):
        raise InputError(problem)
    own = address is None
    options: dict[str, Any] = {"address": "local", "include_dashboard": False, "num_cpus": cores()} if own else {}
    try:
        ray.init(log_to_driver=False, logging_level=logging.WARNING, **options)
    except ConnectionError as error:
        raise InputError(f"there is no Ray cluster at {address} ({error}). Unset RAY_ADDRESS to start one") from error
    try:
        yield own
    finally:
        ray.shutdown()


def check_resources(cpus: float, gpus: float) -> None:
    """Raises an InputError if no node of the cluster has these resources for a trial."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        largest = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise InputError(f"a trial wants {cpus:g} CPUs and {gpus:g} GPUs, and the nodes have {largest}")

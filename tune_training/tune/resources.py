"""What Ray reserves for a trial: it starts no more of them at a time than a node has processors, GPUs and memory for."""

import logging

import ray

from tune_training.io.cluster import check_resources
from tune_training.train.memory import training_bytes
from tune_training.tune.plan import Plan

logger = logging.getLogger(__name__)


def trial_resources(plan: Plan) -> dict[str, float]:
    """As Ray Tune takes them, on the cluster that is connected.

    Raises:
        InputError: no node has the processors and GPUs.
    """
    options = plan.options
    gpus = options.gpus_per_trial if options.gpus_per_trial >= 0 else min(1.0, ray.cluster_resources().get("GPU", 0.0))
    check_resources(options.cpus_per_trial, gpus)
    nodes = [node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["Alive"]]
    batch_size = int(plan.space.largest("batch_size"))
    memory = reserved_bytes(training_bytes(plan.start, plan.image_size, plan.parameters, batch_size), max(nodes))
    return {"cpu": options.cpus_per_trial, "gpu": gpus, "memory": memory}


def reserved_bytes(needed: int, largest_node: float) -> int:
    """The memory to reserve. More than any node has would never be given: one trial at a time tries its luck there."""
    if needed > largest_node:
        logger.warning(
            "a trial may need %.1f GB of memory, and the largest node has %.1f GB for all: one runs at a time. "
            "Should it be killed, try a smaller --image-size or --start",
            needed / 1e9,
            largest_node / 1e9,
        )
    return int(min(needed, largest_node))

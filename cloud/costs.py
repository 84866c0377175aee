"""What a deployment costs a month, and 1,000 photos: a plan's resources and the pods' machines, at list prices.

Taxes, traffic out of AWS, builds, searches and what is stored are not in it. Prices change: AS_OF says of when they are.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cloud import plans

HOURS = 730  # of a month, as AWS counts
AS_OF = "November 2026"
SPOT = 0.4  # of the list price, as an assumption: it changes by the hour
AUTO_MODE = 0.12  # of the list price, of spot machines too
PHOTOS_PER_CORE = 22.0  # a second: 43.9 with 16 clients on two such cores, the client's own time included (benchmarks/README.md)
CORES_OF_A_WORKER = 3  # k8s/base/rayservice.yaml
OTHER = 3.0  # a month for logs, images and buckets that hold little

# USD in us-east-1. An hour:
MACHINES = {"m7i.large": 0.1008, "c7i.xlarge": 0.1785, "g6.xlarge": 0.8048}
HOURLY = {"aws_eks_cluster": 0.10, "aws_nat_gateway": 0.045, "aws_eip": 0.005, "aws_lb": 0.0225}
CACHE_NODE = 0.0128  # Valkey on cache.t4g.micro
# A month:
MONTHLY = {"aws_wafv2_web_acl": 5.0, "aws_cloudwatch_metric_alarm": 0.10, "aws_secretsmanager_secret": 0.40}
WAF_RULE = 1.0
# A million requests: WAF 0.60, CloudFront 1.00
PER_REQUEST = 1.60e-6


@dataclass(frozen=True)
class Machines:
    """The machines of a profile: the smallest that its pods fit on, of a current generation.

    Attributes:
        worker: their type.
        least, most: workers at rest, and at most.
        measured: whether photos per second were measured for such a worker.
    """

    worker: str
    least: int
    most: int
    measured: bool = True


PROFILES = {"lean": Machines("c7i.xlarge", 0, 4), "ha": Machines("c7i.xlarge", 2, 5), "gpu": Machines("g6.xlarge", 1, 2, measured=False)}
HEAD = "m7i.large"
LOADS = (0.1, 0.5, 0.9)


def of_plan(resources: dict[str, dict[str, Any]]) -> float:
    """USD a month for what a plan creates, without machines; this is what a paused deployment costs.

    Args:
        resources: planned values by address.
    """
    count = Counter(plans.kind(address) for address in resources if not address.startswith("data.") and ".data." not in address)
    total = OTHER + sum(price * HOURS * count[kind] for kind, price in HOURLY.items())
    total += sum(price * count[kind] for kind, price in MONTHLY.items())
    for address, values in resources.items():
        if ".aws_wafv2_web_acl." in address:
            total += WAF_RULE * len(json.loads(values["rule_json"]))
        if ".aws_elasticache_replication_group." in address:
            total += CACHE_NODE * HOURS * int(values["num_cache_clusters"])
    return total


def machine(kind: str, *, spot: bool) -> float:
    """USD an hour for a machine, with Auto Mode's fee."""
    return MACHINES[kind] * ((SPOT if spot else 1) + AUTO_MODE)


def running(profile: str, fixed: float, workers: int) -> float:
    """USD a month with a head and some spot workers, given what is fixed."""
    return fixed + HOURS * (machine(HEAD, spot=False) + workers * machine(PROFILES[profile].worker, spot=True))


def per_thousand(profile: str, fixed: float, load: float) -> float | None:
    """USD for 1,000 photos at a share of what all workers can do; as many of them run as that takes. None where nothing was measured."""
    machines = PROFILES[profile]
    if not machines.measured:
        return None
    workers = max(machines.least, math.ceil(load * machines.most))
    photos = load * machines.most * CORES_OF_A_WORKER * PHOTOS_PER_CORE * 3600 * HOURS
    return 1000 * (running(profile, fixed, workers) / photos + PER_REQUEST)


def table(profile: str, resources: dict[str, dict[str, Any]]) -> str:
    """The row of README's table for a profile."""
    fixed, machines = of_plan(resources), PROFILES[profile]
    photos = [per_thousand(profile, fixed, load) for load in LOADS]
    cells = ["not measured" if each is None else f"{each:.4f}" for each in photos]
    at_rest, at_most = (running(profile, fixed, workers) for workers in (machines.least, machines.most))
    return f"| `{profile}` | {fixed:.0f} | {at_rest:.0f} | {at_most:.0f} | {' | '.join(cells)} |"

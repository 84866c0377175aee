"""What a thousand photos cost on machines that can be rented, from the answers per second of each core that were measured here."""

from dataclasses import dataclass

from benchmarks.results import Machine, Point

PRICED = "2025-06"
"""Month of the prices: on demand, Linux, in AWS's region us-east-1. Discounts, disks, load balancers and traffic come on top or off."""


@dataclass(frozen=True)
class Instance:
    """A machine that can be rented.

    Attributes:
        vcpus: what its system calls cores. One is taken for as fast as one of the measuring machine: other processors differ.
        usd_per_hour: list price.
    """

    name: str
    vcpus: int
    usd_per_hour: float


INSTANCES = (
    Instance("t3.large", 2, 0.0832),  # may be throttled: its list price is for less than all of its cores all the time
    Instance("c7g.large", 2, 0.0725),  # ARM: nothing was measured there
    Instance("m7g.large", 2, 0.0816),  # ARM likewise
    Instance("c7i.large", 2, 0.08925),
    Instance("c7a.large", 2, 0.10264),
    Instance("m7i.large", 2, 0.1008),
    Instance("c7i.2xlarge", 8, 0.357),
)


def usd_per_1000(instance: Instance, point: Point, machine: Machine) -> float | None:
    """US dollars for a thousand answers at a load, its idle cores included; None where nothing was answered."""
    per_core = point.summary.answers_per_s / machine.cores
    return instance.usd_per_hour / (per_core * instance.vcpus * 3600) * 1000 if per_core else None

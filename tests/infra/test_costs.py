"""The costs in terraform/README.md are those of the plans, at list prices."""

import pytest

from cloud import costs
from tests.infra.conftest import Planned
from tests.infra.manifests import ALLOCATABLE, K8S, ROOT, groups, ray_cluster, render


@pytest.mark.parametrize("profile", sorted(costs.PROFILES))
def test_the_readme_has_the_costs_of_the_plan(profile: str, request: pytest.FixtureRequest) -> None:
    plan: Planned = request.getfixturevalue("aws" if profile == "ha" else "lean")
    text = (ROOT / "terraform" / "README.md").read_text()
    assert costs.table(profile, plan.resources) in text
    assert costs.AS_OF in text


@pytest.mark.parametrize("profile", sorted(costs.PROFILES))
def test_its_machines_are_those_of_the_manifests(profile: str) -> None:
    (group,) = ray_cluster(render(K8S / "overlays" / profile))["workerGroupSpecs"]
    machines = costs.PROFILES[profile]
    assert (group["minReplicas"], group["maxReplicas"]) == (machines.least, machines.most)
    assert float(group["rayStartParams"]["num-cpus"]) == costs.CORES_OF_A_WORKER
    assert len(groups(ray_cluster(render(K8S / "overlays" / profile)))) == 2
    assert ALLOCATABLE["ray-head"][0] < 2  # the head's machine is the smallest of its pool


def test_photos_per_second_are_those_that_were_measured() -> None:
    assert "16 clients, embedded models, two cores" in (measured := (ROOT / "benchmarks" / "README.md").read_text())
    assert f"{2 * costs.PHOTOS_PER_CORE - 0.1:.1f} photos/s" in measured


def test_a_paused_deployment_has_no_machines_and_more_photos_cost_less_each(lean: Planned) -> None:
    fixed = costs.of_plan(lean.resources)
    assert fixed < costs.running("lean", fixed, 0) < costs.running("lean", fixed, 4)
    prices = [costs.per_thousand("lean", fixed, load) or 0 for load in costs.LOADS]
    assert prices == sorted(prices, reverse=True)

"""The deployer's policy allows what Terraform and deploy.sh do, and the preflight asks for what the pods need."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from cloud.preflight import NEEDS, POLICY, Need
from tests.infra.conftest import Planned
from tests.infra.deployer_needs import COMMANDS, STATE, TYPES
from tests.infra.manifests import K8S, ROOT, groups, ray_cluster, render
from tests.infra.test_contracts import node_pools, requirement
from tests.support.terraform import SOURCES

STATEMENTS: list[dict[str, Any]] = json.loads(POLICY.read_text())["Statement"]


def allowed(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for statement in STATEMENTS for pattern in statement["Action"])


def test_every_type_and_command_in_use_has_its_permissions() -> None:
    text = "".join(file.read_text() for file in SOURCES.rglob("*.tf"))
    types = set(re.findall(r'^(?:resource|data) "(\w+)"', text, re.MULTILINE))
    assert types - TYPES.keys() == set()
    asked = re.findall(r'"\$AWS" ([a-z0-9-]+ [a-z0-9-]+)', (ROOT / "deploy.sh").read_text())
    asked += [" ".join(words) for words in re.findall(r'ask\(\s*"([a-z0-9-]+)", "([a-z0-9-]+)"', (ROOT / "cloud/preflight.py").read_text())]
    assert set(asked) - COMMANDS.keys() == set()
    needed = {action for name in types for action in TYPES[name]} | {action for name in asked for action in COMMANDS[name]} | set(STATE)
    assert [action for action in sorted(needed) if not allowed(action)] == []


def test_it_is_no_administrators() -> None:
    for action in ("iam:CreateUser", "iam:CreateAccessKey", "ec2:RunInstances", "s3:PutBucketAcl", "organizations:LeaveOrganization"):
        assert not allowed(action)
    for statement in STATEMENTS:
        assert not any(action.endswith(":*") or action == "*" for action in statement["Action"])
        changes_roles = any(
            action.startswith("iam:") and not re.match(r"iam:(Get|List|Simulate)", action) for action in statement["Action"]
        )
        assert not changes_roles or statement["Resource"] != ["*"] or "Condition" in statement


def test_iam_takes_it() -> None:
    """A managed policy has at most 6,144 characters, white space not counted."""
    assert len(re.sub(r"\s", "", POLICY.read_text().replace("NAME", "gender-presentations"))) <= 6144
    assert all(re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"]) for statement in STATEMENTS)


@pytest.mark.parametrize("profile", sorted(NEEDS))
def test_the_preflight_asks_for_the_machines_of_an_upgrade(profile: str, platform: Planned) -> None:
    """The old cluster and the new one, each with its head and, of the workers, at least one."""
    wanted = {"ray-head": 0, "ray-cpu": 0, "ray-gpu": 0}
    for group in groups(ray_cluster(render(K8S / "overlays" / profile))):
        pool = group["template"]["spec"]["nodeSelector"]["karpenter.sh/nodepool"]
        machine = min(map(int, requirement(node_pools(platform)[pool], "eks.amazonaws.com/instance-cpu")))
        wanted[pool] += 2 * machine * max(1, group.get("minReplicas", 1))
    assert NEEDS[profile] == Need(wanted["ray-head"], wanted["ray-cpu"], wanted["ray-gpu"])

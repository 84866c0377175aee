"""What Terraform prints as JSON: plans and outputs."""

import re
from typing import Any


def deleted(plan: dict[str, Any]) -> list[str]:
    """The addresses of what a plan (`terraform show -json`) would delete or replace."""
    return [change["address"] for change in plan.get("resource_changes", []) if "delete" in change["change"]["actions"]]


def resources(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The planned values of all resources, by address."""
    found: dict[str, dict[str, Any]] = {}
    modules = [plan["planned_values"]["root_module"]]
    while modules:
        module = modules.pop()
        found |= {each["address"]: each.get("values", {}) for each in module.get("resources", [])}
        modules += module.get("child_modules", [])
    return found


def kind(address: str) -> str:
    """The type of the resource at an address: of `module.valkey[0].aws_security_group.this`, `aws_security_group`."""
    return re.sub(r"\[.*?\]", "", address).split(".")[-2]


def output(outputs: dict[str, Any], name: str) -> str:
    """The value of one output (`terraform output -json`); empty if it is missing or null."""
    return str((outputs.get(name) or {}).get("value") or "")

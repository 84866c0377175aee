"""The real Terraform, with providers from wherever they can be had: beside the checkout without a network, or the registry."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "terraform"
ROOTS = ["bootstrap", "aws", "platform"]
MODULES = [f"modules/{folder.name}" for folder in sorted((SOURCES / "modules").iterdir()) if folder.is_dir()]

# Prints an `export` that points Terraform to providers with schemas and no cloud.
OFFLINE = Path(os.environ.get("TERRAFORM_OFFLINE", ROOT.parent / "shared" / "tools" / "terraform-offline" / "env"))


class MissingTerraform(Exception):
    """There is no Terraform here, or no providers for it; the message says which."""


def terraform_environment() -> dict[str, str]:
    """Variables with which Terraform finds providers.

    Raises:
        MissingTerraform: it is not installed.
    """
    if not shutil.which("terraform"):
        raise MissingTerraform("terraform is not installed")
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    # A developer's own account is not what is tested.
    environment = {name: value for name, value in environment.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    if OFFLINE.exists():
        export = subprocess.run([str(OFFLINE)], capture_output=True, text=True, check=True).stdout
        name, _, value = shlex.split(export)[1].partition("=")
        environment[name] = value
    return environment


def copy_of_sources(folder: Path) -> Path:
    """A copy of terraform/ to run in, so that the checkout stays as it is."""
    return shutil.copytree(SOURCES, folder / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars"))


def terraform(folder: Path, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command of Terraform's in a folder."""
    return subprocess.run(["terraform", f"-chdir={folder}", *arguments], env=environment, capture_output=True, text=True, check=False)


def initialise(folder: Path, environment: dict[str, str]) -> None:
    """`terraform init` without a backend.

    Raises:
        MissingTerraform: the providers cannot be had here.
    """
    ended = terraform(folder, "init", "-backend=false", "-no-color", environment=environment)
    if ended.returncode and "registry" in ended.stderr and not OFFLINE.exists():
        raise MissingTerraform("Terraform's registry cannot be reached, and there are no providers beside the checkout")
    assert ended.returncode == 0, ended.stderr


def complaints(folder: Path, environment: dict[str, str]) -> set[str]:
    """What `terraform test` finds wrong: the message of each assertion, and `RUN: SUMMARY` of anything else; empty when all is well."""
    ended = terraform(folder, "test", "-json", environment=environment)
    events: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    found = set()
    for event in events:
        if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
            summary, detail = event["diagnostic"]["summary"], event["diagnostic"]["detail"]
            found.add(detail if summary == "Test assertion failed" else f"{event.get('@testrun', '')}: {summary}")
    assert bool(ended.returncode) == bool(found), ended.stdout + ended.stderr
    return found

"""The real Terraform, with offline providers beside the checkout if there are any, else from the registry."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "terraform"
ROOTS = ["bootstrap", "aws", "platform"]
MODULES = [f"modules/{folder.name}" for folder in sorted((SOURCES / "modules").iterdir()) if folder.is_dir()]

# Prints an `export` that points Terraform to providers that have schemas but no cloud.
OFFLINE = Path(os.environ.get("TERRAFORM_OFFLINE", ROOT.parent / "shared" / "tools" / "terraform-offline" / "env"))


class MissingTerraform(Exception):
    """Terraform or its providers are missing; the message says which."""


def terraform_environment(folder: Path) -> dict[str, str]:
    """Environment variables with which Terraform finds its providers.

    Args:
        folder: an empty folder of this test session.

    Raises:
        MissingTerraform: Terraform is not installed.
    """
    if not shutil.which("terraform"):
        raise MissingTerraform("terraform is not installed")
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    # Never use a developer's own account.
    environment = {name: value for name, value in environment.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    if OFFLINE.exists():
        export = subprocess.run([str(OFFLINE)], capture_output=True, text=True, check=True).stdout
        name, _, value = shlex.split(export)[1].partition("=")
        environment[name] = str(_with_few_types(Path(value), folder))
    return environment


def _with_few_types(config: Path, folder: Path) -> Path:
    """Copies the offline providers with only the types that terraform/ uses: they start in a quarter of the time, and tests start many.

    The last word of each executable is the path of its schema; in the copy it is the path of a smaller one.

    Returns:
        Terraform's CLI configuration file that selects them.
    """
    (mirror,) = re.findall(r'path = "(.*)"', config.read_text())
    text = "".join(file.read_text() for file in SOURCES.rglob("*.tf"))
    used = set(re.findall(r'^(?:resource|data) "(\w+)"', text, re.MULTILINE))
    shutil.copytree(mirror, folder / "mirror")
    for provider in (folder / "mirror").rglob("terraform-provider-*"):
        command = shlex.split(provider.read_text().splitlines()[-1])
        document = json.loads(Path(command[-1]).read_text())
        for kind in ("resource_schemas", "data_source_schemas"):
            types = document["schema"][kind]
            document["schema"][kind] = {name: types[name] for name in types.keys() & used}
            for known in document["schema"][kind].values():
                for attribute in known["block"]["attributes"].values():
                    if "nested_type" in attribute and attribute.get("optional"):
                        attribute["computed"] = False  # the mock value would be an object where a set is required
        command[-1] = str(folder / f"{provider.name}.json")
        Path(command[-1]).write_text(json.dumps(document))
        provider.write_text(f"#!/bin/sh\n{shlex.join(command)}\n")
    written = folder / "terraform.rc"
    written.write_text(config.read_text().replace(mirror, str(folder / "mirror")))
    return written


def copy_of_sources(folder: Path) -> Path:
    """A copy of terraform/ to run in, so that the checkout stays unchanged."""
    return shutil.copytree(SOURCES, folder / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars"))


def terraform(folder: Path, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a Terraform command in a folder."""
    return subprocess.run(["terraform", f"-chdir={folder}", *arguments], env=environment, capture_output=True, text=True, check=False)


def initialise(folder: Path, environment: dict[str, str]) -> None:
    """`terraform init` without a backend.

    Raises:
        MissingTerraform: the providers are not available.
    """
    ended = terraform(folder, "init", "-backend=false", "-no-color", environment=environment)
    if ended.returncode and "registry" in ended.stderr and not OFFLINE.exists():
        raise MissingTerraform("Terraform's registry cannot be reached, and there are no providers beside the checkout")
    assert ended.returncode == 0, ended.stderr


def complaints(folder: Path, environment: dict[str, str]) -> set[str]:
    """Failures of `terraform test`: messages of failed assertions, and `RUN: SUMMARY` of other errors; empty when all pass."""
    ended = terraform(folder, "test", "-json", environment=environment)
    events: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    found = set()
    for event in events:
        if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
            summary, detail = event["diagnostic"]["summary"], event["diagnostic"]["detail"]
            found.add(detail if summary == "Test assertion failed" else f"{event.get('@testrun', '')}: {summary}")
    assert bool(ended.returncode) == bool(found), ended.stdout + ended.stderr
    return found

"""The make targets named in documents, CI and hooks exist, and every test group has one."""

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".ci/run", ".pre-commit-config.yaml"]
CHECKS = {"lint", "typecheck"}


def steps() -> list[dict[str, Any]]:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    setup = yaml.safe_load((ROOT / ".github" / "actions" / "setup" / "action.yml").read_text())
    return [step for job in [*jobs.values(), setup["runs"]] for step in job["steps"]]


def made_by_ci() -> list[str]:
    commands = [step["run"].split() for step in steps() if "run" in step]
    assert {command[0] for command in commands} == {"make"}
    return [target for command in commands for target in command[1:] if "=" not in target]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_targets_that_exist(document: str) -> None:
    named = re.findall(r"(?:`|^)make ([a-z][a-z-]*)", (ROOT / document).read_text(), re.MULTILINE)
    assert set(named) <= TARGETS


def test_every_folder_of_tests_has_a_target() -> None:
    folders = {file.relative_to(ROOT).parts[1] for file in (ROOT / "tests").rglob("test_*.py")}
    assert folders == set(re.findall(r" tests/([a-z]+)", MAKEFILE)) - {"support"}


def test_make_test_and_ci_run_every_group_and_check() -> None:
    groups = {target for target in TARGETS if target.startswith("test-")}
    names = " ".join(re.findall(r"^(?:IN_TURN|BESIDE|ALONE) := (.*)$", MAKEFILE, re.MULTILINE)).split()
    assert {f"test-{name}" for name in names} == groups
    assert set(made_by_ci()) == groups | CHECKS | {"setup-dev"}


def test_hooks_run_the_tools_that_are_locked() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program = hook["entry"].split()[0]
        assert program in ("terraform", "bash") or (ROOT / program).exists()


@pytest.mark.parametrize("script", ["gender-serve", "gender-train"])
def test_console_scripts_lead_to_functions(script: str) -> None:
    module, _, function = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][script].partition(":")
    assert callable(getattr(import_module(module), function))

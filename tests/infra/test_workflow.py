"""The workflow that deploys: who may, with what, and only by deploy.sh's own commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.manifests import ROOT
from tests.infra.test_manifests import KUBERNETES
from tests.support.terraform import ROOTS

WORKFLOWS = ROOT / ".github" / "workflows"
FILE = WORKFLOWS / "deploy.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text())
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]


def test_a_pull_request_plans_and_only_the_approved_main_branch_deploys() -> None:
    assert JOBS.keys() == {"plan", "deploy"}
    assert (JOBS["plan"]["environment"], JOBS["deploy"]["environment"]) == ("plan", "production")
    assert "github.event.pull_request.head.repo.full_name == github.repository" in JOBS["plan"]["if"]
    assert "github.event_name != 'pull_request'" in JOBS["deploy"]["if"]
    assert "github.ref == 'refs/heads/main'" in JOBS["deploy"]["if"]
    assert not WORKFLOW["concurrency"]["cancel-in-progress"]
    assert "pull_request_target" not in FILE.read_text()


def test_it_has_no_key_and_only_the_rights_that_it_needs() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in JOBS.values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in FILE.read_text()
    for _, step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_it_runs_deploy_sh_and_nothing_of_a_pull_request_gets_into_a_script() -> None:
    scripts = {name: [step["run"] for job, step in STEPS if job == name and "run" in step] for name in JOBS}
    assert scripts["plan"] == ["./deploy.sh plan"]
    assert scripts["deploy"] == ["./deploy.sh infrastructure", 'IMAGE="$REGISTRY/$NAME@$DIGEST" ./deploy.sh deploy']
    for each in (script for found in scripts.values() for script in found):
        assert "${{" not in each
        (command,) = re.findall(r"\./deploy\.sh ([a-z-]+)$", each)
        assert f"  {command} " in (ROOT / "deploy.sh").read_text()


def test_actions_are_pinned_by_commit_and_say_which_version_that_is() -> None:
    uses = re.findall(r"uses: (.*)$", "".join(file.read_text() for file in (ROOT / ".github").rglob("*.yml")), re.MULTILINE)
    assert len(uses) > 20
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+(;.*)?"
    assert [each for each in uses if not re.fullmatch(rf"{pinned}|\./\.github/actions/\w+", each)] == []


def test_the_image_has_its_provenance_and_is_deployed_by_its_digest() -> None:
    (build,) = [step for _, step in STEPS if step.get("id") == "build"]
    assert (build["with"]["provenance"], build["with"]["sbom"]) == ("mode=max", True)
    assert build["with"]["cache-from"] == "type=gha"
    (deploy,) = [step for _, step in STEPS if "DIGEST" in step.get("env", {})]
    assert deploy["env"]["DIGEST"] == "${{ steps.build.outputs.digest }}"


def test_the_image_is_built_on_its_own_architecture_and_named_by_it() -> None:
    """One variable chooses the runner, the platform, the tag, and deploy.sh's machines."""
    job = JOBS["deploy"]
    assert job["runs-on"] == "${{ vars.ARCHITECTURE == 'arm64' && 'ubuntu-24.04-arm' || 'ubuntu-24.04' }}"
    assert {each["env"]["ARCHITECTURE"] for each in JOBS.values()} == {"${{ vars.ARCHITECTURE || 'amd64' }}"}
    (build,) = [step["with"] for _, step in STEPS if step.get("id") == "build"]
    assert build["platforms"] == "linux/${{ env.ARCHITECTURE }}"
    assert "/${{ vars.NAME }}:run-${{ env.ARCHITECTURE }}-" in build["tags"]


def test_it_gets_the_settings_that_git_ignores() -> None:
    """Without them a deployment would take back what a person's terraform.tfvars has made, such as the domain."""
    assert "*.tfvars" in (ROOT / ".gitignore").read_text().split()
    given = set(re.findall(r"\$\{?(TFVARS_\w+)", (ROOT / "deploy.sh").read_text()))
    assert given == {f"TFVARS_{root.upper()}" for root in ROOTS if root != "bootstrap"}
    for job in JOBS.values():
        assert {name: value for name, value in job["env"].items() if name in given} == {name: f"${{{{ vars.{name} }}}}" for name in given}


def test_kubectl_is_that_of_the_cluster() -> None:
    (step,) = [step for _, step in STEPS if step.get("uses", "").startswith("azure/setup-kubectl@")]
    assert step["with"]["version"].startswith(f"v{KUBERNETES}.")


def test_the_role_is_for_its_environments_and_the_documents_name_its_variables() -> None:
    (environments,) = re.findall(r"environments = \[(.*?)\]", (ROOT / "terraform" / "bootstrap" / "main.tf").read_text())
    assert {each.strip(' "') for each in environments.split(",")} == {job["environment"] for job in JOBS.values()}
    readme = (ROOT / "terraform" / "README.md").read_text()
    for name in set(re.findall(r"vars\.(\w+)", FILE.read_text())):
        assert f"`{name}" in readme


def found(tool: str) -> str:
    """Beside this Python, where the locked packages are, or on the path."""
    path = shutil.which(tool, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not path:
        pytest.skip(f"{tool} is not installed")
    return path


def test_zizmor_finds_nothing_in_what_github_runs() -> None:
    """Workflows, composite actions and Dependabot's configuration."""
    ended = subprocess.run([found("zizmor"), "--offline", "--no-progress", "."], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_actionlint_finds_nothing() -> None:
    ended = subprocess.run([found("actionlint"), *sorted(WORKFLOWS.glob("*.yml"))], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr

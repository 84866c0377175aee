"""deploy.sh from an empty account to a service and back, with a fault at each of its steps.

Terraform, kubectl and AWS' command line are the real ones; behind them are providers without a cloud, an API server that only
stores, and moto.
The container tool and npm are recorded, and nobody asks the public address.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.terraform import MissingTerraform, terraform_environment

ROOT = Path(__file__).parents[2]
FAKE_API = Path(os.environ.get("KUBERNETES_OFFLINE", ROOT.parent / "shared" / "tools" / "kubernetes-offline")) / "fake_api.py"
COMMANDS = [
    "deploy",
    "build",
    "plan",
    "apply",
    "infrastructure",
    "outputs",
    "destroy",
    "build-ui",
    "deploy-ui",
    "serve-ui",
]  # the original's
COMMANDS += ["pause", "resume", "status", "logs", "tune"]
STATE = "photos-123456789012-us-east-1-state"


@dataclass
class Rehearsal:
    """A checkout to deploy from, and what is around it."""

    checkout: Path
    stage: Path
    environment: dict[str, str]
    endpoint: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )

    def run(self, *command: str, answer: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./deploy.sh", *command],
            cwd=self.checkout,
            env=self.environment | environment,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )

    def fail_once(self, call: str) -> None:
        (self.stage / "faults").write_text(call)

    def calls(self) -> list[str]:
        """What was called since it was asked last."""
        file = self.stage / "calls"
        calls = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return calls


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    for tool in ("aws", "kubectl", "git"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if not FAKE_API.exists():
        pytest.skip("no API server to rehearse with: KUBERNETES_OFFLINE names its folder")
    folder = tmp_path_factory.mktemp("rehearsal")
    try:
        environment = terraform_environment(tmp_path_factory.mktemp("providers"))
    except MissingTerraform as missing:
        pytest.skip(str(missing))
    if "TF_CLI_CONFIG_FILE" not in environment:
        pytest.skip("no providers without a cloud: TERRAFORM_OFFLINE names what prints where they are")
    checkout, stage, tools = folder / "checkout", folder / "stage", folder / "tools"
    for made in (checkout, stage, tools):
        made.mkdir()
    for part in ("deploy.sh", "terraform", "k8s", "serve_app/__init__.py", ".gitignore"):
        source, copy = ROOT / part, checkout / part
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "__pycache__"))
        else:
            shutil.copy(source, copy)
    git = ["git", "-c", "user.name=r", "-c", "user.email=r@example.org", "-C", str(checkout)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Rehearse"]):
        subprocess.run([*git, *command], check=True)
    variables = {"AWS": "aws", "TERRAFORM": "terraform", "KUBECTL": "kubectl", "CONTAINER_TOOL": "docker", "NPM": "npm", "PYTHON": "python"}
    for name in variables.values():
        script = tools / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.rehearsal.tool {name} "$@"\n')
        script.chmod(0o755)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        api_port = str(probe.getsockname()[1])
    api = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/rehearsal/kubernetes_api.py"), str(FAKE_API), api_port, str(stage)],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    environment |= {variable: str(tools / name) for variable, name in variables.items()} | {
        "REAL_TERRAFORM": str(shutil.which("terraform")),
        "REHEARSAL": str(stage),
        "PYTHONPATH": str(ROOT),
        "KUBERNETES": f"http://127.0.0.1:{api_port}",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NAME": "photos",
        "TF_VAR_api_access_cidrs": '["203.0.113.7/32"]',
        "TF_VAR_zones": '["us-east-1a", "us-east-1b"]',
        "TF_CLI_ARGS_plan": "-no-color",
        "TF_CLI_ARGS_apply": "-no-color",
        "READY_TIMEOUT": "2s",
    }
    yield Rehearsal(checkout, stage, environment, endpoint)
    api.terminate()
    api.wait()
    server.stop()


def test_an_account_that_is_not_meant_is_left_alone(rehearsal: Rehearsal) -> None:
    ended = rehearsal.run("deploy", ACCOUNT_ID="999999999999")
    assert ended.returncode == 1
    assert "ACCOUNT_ID is 999999999999, and the credentials are of 123456789012" in ended.stderr
    assert not [call for call in rehearsal.calls() if not call.startswith("aws sts ")]


def test_a_plan_is_made_and_that_plan_is_applied(rehearsal: Rehearsal) -> None:
    refused = rehearsal.run("apply")
    assert refused.returncode == 1
    assert "there is no plan" in refused.stderr
    planned = rehearsal.run("plan")
    assert planned.returncode == 0, planned.stderr
    assert "to add" in planned.stdout
    applied = rehearsal.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert rehearsal.run("apply").returncode == 1  # it was used up


def test_deploy_goes_on_after_a_fault_at_any_step(rehearsal: Rehearsal) -> None:
    lock = {"Bucket": STATE, "Key": "aws.tfstate.tflock"}
    rehearsal.client("s3").put_object(**lock, Body=b'{"ID": "somebody", "Operation": "OperationTypeApply", "Who": "another"}')
    locked = rehearsal.run("deploy")
    assert locked.returncode != 0
    assert "Error acquiring the state lock" in locked.stderr
    assert "Stopped while making what is in AWS" in locked.stderr
    rehearsal.client("s3").delete_object(**lock)

    rehearsal.fail_once("docker push")
    unpushed = rehearsal.run("deploy")
    assert "Stopped while making the image" in unpushed.stderr, unpushed.stderr

    (rehearsal.stage / "never-ready").touch()
    never_ready = rehearsal.run("deploy")
    assert never_ready.returncode == 1
    assert "error: the service is not ready" in never_ready.stderr, never_ready.stderr
    assert "To go back" not in never_ready.stderr  # nothing was there before
    (rehearsal.stage / "never-ready").unlink()

    rehearsal.fail_once("index.html --cache-control")
    cut = rehearsal.run("deploy")
    assert "Stopped while putting the page in place" in cut.stderr, cut.stderr
    rehearsal.calls()

    whole = rehearsal.run("deploy")
    assert whole.returncode == 0, whole.stderr
    calls = rehearsal.calls()
    assert "docker" not in " ".join(calls)  # the image is there, and is deployed by its digest
    order = [
        "bucket",
        "aws apply",
        "platform apply",
        "describe-images",
        "apply --kustomize",
        "--for=condition=Ready",
        "s3 sync",
        "create-invalidation",
        "smoke",
    ]
    positions = [next(number for number, call in enumerate(calls) if step in call) for step in order]
    assert positions == sorted(positions)


def test_the_page_is_kept_as_long_as_it_may_be(rehearsal: Rehearsal) -> None:
    s3 = rehearsal.client("s3")
    kept = {
        key: s3.head_object(Bucket="page-of-the-rehearsal", Key=key)["CacheControl"]
        for key in ("assets/index-1.js", "index.html", "config.json")
    }
    assert kept == {"assets/index-1.js": "public, max-age=31536000, immutable", "index.html": "no-cache", "config.json": "no-cache"}
    assert s3.get_object(Bucket="page-of-the-rehearsal", Key="config.json")["Body"].read() == b'{"apiUrl": "/api"}\n'


def test_rays_token_is_made_once_and_is_in_no_state(rehearsal: Rehearsal) -> None:
    secret = rehearsal.client("secretsmanager").get_secret_value(SecretId="photos-ray-token")["SecretString"].strip()
    assert len(secret) == 64
    state = rehearsal.client("s3").get_object(Bucket=STATE, Key="aws.tfstate")["Body"].read().decode()
    assert secret not in state
    assert not (rehearsal.checkout / "build" / "deploy" / "token").exists()


def test_an_upgrade_that_does_not_become_ready_says_how_to_go_back(rehearsal: Rehearsal) -> None:
    (rehearsal.stage / "never-ready").touch()
    image = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/photos@sha256:{'a' * 64}"
    ended = rehearsal.run("deploy", IMAGE=image)
    (rehearsal.stage / "never-ready").unlink()
    assert ended.returncode == 1
    assert "To go back to it: IMAGE=123456789012.dkr.ecr.us-east-1.amazonaws.com/photos@sha256:" in ended.stderr
    assert image not in ended.stderr


def test_it_is_paused_and_resumed(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("pause").returncode == 0
    assert rehearsal.run("resume").returncode == 0
    patches = [call for call in rehearsal.calls() if " patch " in call]
    assert [("true" in call, "false" in call) for call in patches] == [(True, False), (False, True)]


def test_a_search_is_started_with_the_image_that_serves(rehearsal: Rehearsal) -> None:
    ended = rehearsal.run("tune", "s3://data/manifest.parquet", "s3://models/tune/first", "TRIALS=4")
    assert ended.returncode == 0, ended.stderr
    assert any("apply --kustomize build/deploy/tune" in call for call in rehearsal.calls())
    assert rehearsal.run("tune", "manifest.parquet").returncode == 1


def test_nothing_is_destroyed_without_its_name(rehearsal: Rehearsal) -> None:
    rehearsal.calls()
    ended = rehearsal.run("destroy", answer="yes\n")
    assert ended.returncode == 1
    assert "nothing was deleted" in ended.stderr
    assert not [call for call in rehearsal.calls() if "terraform" in call or "kubectl" in call]


def test_it_is_destroyed_from_inside_out_also_after_a_fault(rehearsal: Rehearsal) -> None:
    rehearsal.fail_once("terraform/aws destroy")
    assert rehearsal.run("destroy", answer="photos\n").returncode == 1
    ended = rehearsal.run("destroy", answer="photos\n")
    assert ended.returncode == 0, ended.stderr
    order = ["delete namespace", "platform destroy", "wait nodeclaims", "aws destroy", "bootstrap destroy"]
    calls = rehearsal.calls()
    positions = [next(number for number, call in enumerate(calls) if step in call) for step in order]
    assert positions == sorted(positions)
    assert rehearsal.client("eks").list_clusters()["clusters"] == []


@pytest.mark.parametrize(("text", "complaint"), [("WORD=1", "there is no setting"), ("PROFILE=large", "PROFILE is lean, ha or gpu")])
def test_a_wrong_setting_is_named(rehearsal: Rehearsal, text: str, complaint: str) -> None:
    config = rehearsal.checkout / "deploy-config.env"
    config.write_text(text + "\n")
    ended = rehearsal.run("outputs")
    config.unlink()
    assert ended.returncode == 1
    assert complaint in ended.stderr


def test_help_names_every_command(rehearsal: Rehearsal) -> None:
    told = rehearsal.run("help").stdout
    for command in COMMANDS:
        assert f"{command} " in told or f"{command}," in told
    unknown = rehearsal.run("launch")
    assert unknown.returncode == 1
    assert "there is no command launch" in unknown.stderr


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    assert subprocess.run([shellcheck, "deploy.sh"], cwd=ROOT, capture_output=True, text=True, check=False).stdout == ""

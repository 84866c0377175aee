"""deploy.sh from an empty account to a running service and back, with a fault injected at each step.

Terraform, kubectl and the AWS CLI are real; they talk to providers without a cloud, an API server that only stores objects, and moto.
Calls to the container tool and npm are only recorded; the public URL leads to the real API with fake models.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from serve_app.graph.ray_internals import free_port
from tests.unit.serve_app.commands.test_smoke import SmallService, running

pytestmark = pytest.mark.timeout(900)  # some make a dozen plans with real Terraform, which take minutes beside other work

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
]  # commands of the original deploy.sh
COMMANDS += ["pause", "resume", "status", "logs", "tune"]
DEPLOYMENT = "photos-123456789012-us-east-1"
STATE = f"{DEPLOYMENT}-state"
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/photos"


@dataclass
class Rehearsal:
    """A checkout to deploy from, and its fake surroundings."""

    checkout: Path
    stage: Path
    environment: dict[str, str]
    endpoint: str
    told: list[subprocess.CompletedProcess[str]] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )

    def run(self, *command: str, answer: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            ["./deploy.sh", *command],
            cwd=self.checkout,
            env=self.environment | environment,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )
        self.told.append(ended)
        return ended

    def kubectl(self, *arguments: str) -> str:
        """Output of kubectl in the service's namespace."""
        command = ["kubectl", f"--server={self.environment['KUBERNETES']}", "--namespace=gender-presentation", *arguments]
        return subprocess.run(command, env=os.environ | {"KUBECONFIG": os.devnull}, capture_output=True, text=True, check=True).stdout

    def fail_once(self, call: str) -> None:
        (self.stage / "faults").write_text(call)

    @property
    def build(self) -> Path:
        """Where deploy.sh keeps its generated files."""
        return self.checkout / "build" / "deploy" / DEPLOYMENT

    def calls(self) -> list[str]:
        """Calls of the tools since the last time this was read."""
        file = self.stage / "calls"
        calls = file.read_text().splitlines() if file.exists() else []
        with (self.stage / "all-calls").open("a") as earlier:
            earlier.write("\n".join(calls))
        file.unlink(missing_ok=True)
        return calls


@pytest.fixture(scope="module")
def rehearsal(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    for tool in ("aws", "kubectl", "git"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if not FAKE_API.exists():
        pytest.skip("no API server to rehearse with: KUBERNETES_OFFLINE names its folder")
    folder = tmp_path_factory.mktemp("rehearsal")
    if "TF_CLI_CONFIG_FILE" not in environment:
        pytest.skip("no providers without a cloud: TERRAFORM_OFFLINE names what prints where they are")
    checkout, stage, tools = folder / "checkout", folder / "stage", folder / "tools"
    for made in (checkout, stage, tools):
        made.mkdir()
    for part in ("deploy.sh", "terraform", "k8s", "serve_app/__init__.py", "serve_app/commands/smoke.py", "cloud", ".gitignore"):
        source, copy = ROOT / part, checkout / part
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "__pycache__"))
        else:
            shutil.copy(source, copy)
    git = ["git", "-c", "user.name=r", "-c", "user.email=r@example.org", "-C", str(checkout)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Rehearse"]):
        subprocess.run([*git, *command], check=True)
    (checkout / ".git" / "info" / "exclude").write_text(".terraform.lock.hcl\n")  # to be committed by whoever has the registry
    variables = {"AWS": "aws", "TERRAFORM": "terraform", "KUBECTL": "kubectl", "CONTAINER_TOOL": "docker", "NPM": "npm", "PYTHON": "python"}
    for name in variables.values():
        script = tools / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.rehearsal.tool {name} "$@"\n')
        script.chmod(0o755)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    api_port = str(free_port())
    api = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/rehearsal/kubernetes_api.py"), str(FAKE_API), api_port, str(stage)],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    environment = (
        environment
        | {variable: str(tools / name) for variable, name in variables.items()}
        | {
            "REAL_TERRAFORM": str(shutil.which("terraform")),
            "REHEARSAL": str(stage),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KUBERNETES": f"http://127.0.0.1:{api_port}",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NAME": "photos",
            "TF_VAR_api_access_cidrs": '["203.0.113.7/32"]',
            "TF_VAR_zones": '["us-east-1a", "us-east-1b"]',
            "TF_CLI_ARGS_plan": "-no-color -refresh=false",  # the providers have no cloud to refresh from
            "TF_CLI_ARGS_apply": "-no-color",
            "READY_TIMEOUT": "30",
            "AWAKE_TIMEOUT": "20",
        }
    )
    try:
        with running(SmallService(), prefix="/api") as url:
            yield Rehearsal(checkout, stage, environment | {"PUBLIC_URL": url}, endpoint)
        # git ignores what deploy.sh generates, and tracked files stay unchanged.
        assert subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout == ""
    finally:
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
    planned = rehearsal.run("plan", TF_VAR_admin_arns='["arn:aws:iam::123456789012:role/operations"]')
    assert planned.returncode == 0, planned.stderr
    assert "to add" in planned.stdout
    applied = rehearsal.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert rehearsal.run("apply").returncode == 1  # the saved plan was consumed


def test_deploy_goes_on_after_a_fault_at_any_step(rehearsal: Rehearsal) -> None:
    lock = {"Bucket": STATE, "Key": "aws.tfstate.tflock"}
    rehearsal.client("s3").put_object(**lock, Body=b'{"ID": "somebody", "Operation": "OperationTypeApply", "Who": "another"}')
    locked = rehearsal.run("infrastructure")
    assert locked.returncode != 0
    assert "Error acquiring the state lock" in locked.stderr
    assert "Stopped while creating the AWS resources" in locked.stderr
    rehearsal.client("s3").delete_object(**lock)

    # The applied plan granted access to a role that this configuration does not have, so this apply would delete its access entry.
    unasked = rehearsal.run("infrastructure")
    assert unasked.returncode == 1
    assert 'module.cluster.aws_eks_access_entry.admin["arn:aws:iam::123456789012:role/operations"]' in unasked.stderr, unasked.stderr
    assert "error: nothing was deleted" in unasked.stderr

    rehearsal.fail_once("docker push")
    unpushed = rehearsal.run("deploy", answer="photos\n")
    assert unpushed.returncode == 1
    assert "Stopped while building the image" in unpushed.stderr, unpushed.stderr

    for state in ("never-ready", "refused"):
        (rehearsal.stage / state).touch()
    refused = rehearsal.run("deploy")  # with the whole READY_TIMEOUT, which it does not wait for
    assert refused.returncode == 1
    assert "Ready=False ValidationFailed" in refused.stderr
    assert "To go back" not in refused.stderr  # there is no earlier version to go back to
    for state in ("never-ready", "refused"):
        (rehearsal.stage / state).unlink()

    rehearsal.fail_once("index.html --cache-control")
    cut = rehearsal.run("deploy-ui")
    assert cut.returncode == 1
    assert "Stopped while uploading the page" in cut.stderr, cut.stderr
    rehearsal.calls()

    whole = rehearsal.run("deploy")
    assert whole.returncode == 0, whole.stderr
    assert "8 of 8 passed" in whole.stdout  # the smoke test of the public URL
    calls = rehearsal.calls()
    assert "docker" not in " ".join(calls)  # the image is already in the registry, and is deployed by its digest
    order = [
        "bucket",
        "aws plan",
        "apply --server-side --force-conflicts --kustomize https://github.com/ray-project/kuberay/ray-operator/config/crd?ref=v1.7.0",
        "platform plan",
        "describe-images",
        "apply --kustomize",
        "--for=condition=Ready",
        "put-image --repository-name photos --image-tag deployed-",
        "s3 sync",
        "create-invalidation",
        "smoke",
    ]
    positions = [next(number for number, call in enumerate(calls) if step in call) for step in order]
    assert positions == sorted(positions)
    assert {"gender-presentation", "gpus"} == set(
        rehearsal.kubectl("get", "podmonitors", "--output=jsonpath={.items[*].metadata.name}").split()
    )


def test_the_page_is_kept_as_long_as_it_may_be(rehearsal: Rehearsal) -> None:
    s3 = rehearsal.client("s3")
    kept = {
        key: s3.head_object(Bucket="page-of-the-rehearsal", Key=key)["CacheControl"]
        for key in ("assets/index-1.js", "index.html", "config.json", "sw.js")
    }
    assert kept.pop("assets/index-1.js") == "public, max-age=31536000, immutable"
    assert kept == dict.fromkeys(("index.html", "config.json", "sw.js"), "no-cache")
    assert s3.get_object(Bucket="page-of-the-rehearsal", Key="config.json")["Body"].read() == b'{"apiUrl": "/api"}\n'


def test_rays_token_is_made_once_is_in_no_state_and_is_never_shown(rehearsal: Rehearsal) -> None:
    versions = rehearsal.client("secretsmanager").list_secret_version_ids(SecretId="photos-ray-token")["Versions"]
    assert len(versions) == 1
    secret = rehearsal.client("secretsmanager").get_secret_value(SecretId="photos-ray-token")["SecretString"].strip()
    assert len(secret) == 64
    state = rehearsal.client("s3").get_object(Bucket=STATE, Key="aws.tfstate")["Body"].read().decode()
    told = "".join(ended.stdout + ended.stderr + " ".join(ended.args) for ended in rehearsal.told)
    assert "secret/ray-token" in told
    assert secret not in state + told + (rehearsal.stage / "all-calls").read_text()
    assert not (rehearsal.build / "secret").exists()


def test_an_upgrade_that_does_not_become_ready_says_how_to_go_back(rehearsal: Rehearsal) -> None:
    (rehearsal.stage / "never-ready").touch()
    bad = [
        rehearsal.run("deploy", IMAGE=f"{REPOSITORY}@sha256:{letter * 64}", DETECTOR_URI="s3://b/bad/", READY_TIMEOUT="1")
        for letter in "ab"
    ]
    (rehearsal.stage / "never-ready").unlink()
    assert [ended.returncode for ended in bad] == [1, 1]
    assert all("error: the service is not ready" in ended.stderr for ended in bad)
    # It suggests the last version that was ready, not the last one tried.
    (back,) = re.findall(r"To go back to it: (.*) ./deploy.sh deploy$", bad[1].stderr, re.MULTILINE)
    settings = dict(word.split("=") for word in back.split())
    assert re.fullmatch(re.escape(REPOSITORY) + r"@sha256:(?!a{64}|b{64})[0-9a-f]{64}", settings["IMAGE"])
    assert settings["DETECTOR_URI"] == ""

    assert rehearsal.run("pause").returncode == 0
    ended = rehearsal.run("deploy", **settings)
    assert ended.returncode == 0, ended.stderr
    served = rehearsal.kubectl("get", "rayservice", "gender-presentation", "--output=yaml")
    assert settings["IMAGE"] in served
    assert "a" * 64 not in served
    assert "suspend: false" in served


def test_it_is_paused_and_resumed(rehearsal: Rehearsal) -> None:
    rehearsal.calls()
    assert rehearsal.run("pause").returncode == 0
    assert rehearsal.run("resume").returncode == 0
    patches = [call for call in rehearsal.calls() if " patch " in call]
    changes = [re.findall(r"(suspend|replicas)\W+(\w+)", call)[0] for call in patches]
    # The operator ends after the pods, and is there before they are to start.
    assert changes == [("suspend", "true"), ("replicas", "0"), ("replicas", "1"), ("suspend", "false")]


def test_its_state_and_its_log_can_be_seen(rehearsal: Rehearsal) -> None:
    status = rehearsal.run("status")
    assert status.returncode == 0, status.stderr
    assert "gender-presentation" in status.stdout
    assert 'HTTP 200 {"status":"healthy"' in status.stdout
    rehearsal.calls()
    assert rehearsal.run("logs").returncode == 0
    (call,) = [call for call in rehearsal.calls() if call.startswith("kubectl")]
    assert "--namespace gender-presentation logs --selector app.kubernetes.io/component=serve --container logs" in call


def test_the_environment_beats_the_file(rehearsal: Rehearsal) -> None:
    """This includes an empty variable."""
    config = rehearsal.checkout / "deploy-config.env"
    config.write_text("S3_BUCKET_UI=elsewhere\nS3_UI_PREFIX=photos/\nCLOUDFRONT_ID=E2\n")
    rehearsal.client("s3").create_bucket(Bucket="elsewhere")
    rehearsal.client("s3").create_bucket(Bucket="here")
    distribution = json.loads((rehearsal.stage / "made.json").read_text())["distribution_id"]
    missing = rehearsal.run("deploy-ui", S3_BUCKET_UI="here")
    assert missing.returncode != 0
    assert "NoSuchDistribution" in missing.stderr
    ended = rehearsal.run("deploy-ui", S3_UI_PREFIX="", CLOUDFRONT_ID=distribution)
    config.unlink()
    assert ended.returncode == 0, ended.stderr
    kept = {
        bucket: {each["Key"] for each in rehearsal.client("s3").list_objects_v2(Bucket=bucket)["Contents"]}
        for bucket in ("here", "elsewhere")
    }
    assert kept["elsewhere"] == {"index.html", "config.json", "favicon.svg", "sw.js", "assets/index-1.js"}
    assert kept["here"] == {f"photos/{key}" for key in kept["elsewhere"]}


def test_a_search_is_started_with_the_image_that_serves(rehearsal: Rehearsal) -> None:
    ended = rehearsal.run("tune", "s3://data/manifest.parquet", "s3://models/tune/first", "TRIALS=4")
    assert ended.returncode == 0, ended.stderr
    job = rehearsal.kubectl("get", "rayjob", "tune", "--output=yaml")
    (image,) = set(re.findall(r"image: (.*)", job))
    assert image in rehearsal.kubectl("get", "rayservice", "gender-presentation", "--output=yaml")
    (settings,) = [text for text in rehearsal.kubectl("get", "configmaps", "--output=yaml").split("- apiVersion") if "MANIFEST" in text]
    for setting in ("MANIFEST: s3://data/manifest.parquet", "RUN_DIR: s3://models/tune/first", 'TRIALS: "4"'):
        assert setting in settings
    first = rehearsal.kubectl("get", "rayjob", "tune", "--output=jsonpath={.metadata.uid}")
    assert rehearsal.run("tune", "s3://data/manifest.parquet", "s3://models/tune/second").returncode == 0
    # It replaces the first job, because KubeRay never reruns a finished job, whatever changes in its spec.
    assert rehearsal.kubectl("get", "rayjob", "tune", "--output=jsonpath={.metadata.uid}") not in ("", first)
    assert rehearsal.run("tune", "manifest.parquet").returncode == 1


def test_a_workflow_gives_the_settings_that_are_in_no_checkout(rehearsal: Rehearsal) -> None:
    variables = rehearsal.checkout / "terraform" / "aws" / "terraform.tfvars"
    ended = rehearsal.run(
        "plan", TFVARS_AWS='admin_arns = ["arn:aws:iam::123456789012:role/photos-workflow"]\nalarm_email = "a@example.org"'
    )
    variables.unlink()
    assert ended.returncode == 0, ended.stderr
    assert "role/photos-workflow" in ended.stdout
    assert "a@example.org" in ended.stdout
    refused = rehearsal.run("plan", TFVARS_AWS='region = "eu-west-1"')
    variables.unlink()
    assert "these belong into deploy-config.env" in refused.stderr


def test_a_plan_from_an_address_that_kubernetes_api_refuses_is_of_the_rest(rehearsal: Rehearsal) -> None:
    """A runner of GitHub has another one each time."""
    rehearsal.fail_once("kubectl get namespaces")
    ended = rehearsal.run("plan")
    assert ended.returncode == 0, ended.stderr
    assert "The cluster's contents are not planned: Kubernetes' API does not let you in" in ended.stderr
    assert not (rehearsal.build / "platform.tfplan").exists()


def test_valkeys_user_and_rays_head_get_the_same_password_which_is_in_no_state(rehearsal: Rehearsal) -> None:
    rehearsal.calls()
    ended = rehearsal.run("deploy", PROFILE="ha", IMAGE=f"{REPOSITORY}@sha256:{'c' * 64}")
    assert ended.returncode == 0, ended.stderr
    calls = rehearsal.calls()
    password = rehearsal.client("secretsmanager").get_secret_value(SecretId="photos-valkey-password")["SecretString"].strip()
    assert re.fullmatch(r"\w{16,128}", password)  # what ElastiCache takes
    user = json.loads((rehearsal.stage / "valkey-user.json").read_text())
    assert user["AuthenticationMode"] == {"Type": "password", "Passwords": [password]}
    served = json.loads(rehearsal.kubectl("get", "rayservice", "gender-presentation", "--output=json"))
    options = served["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    assert options["redisUsername"]["value"] == user["UserId"]
    key = options["redisPassword"]["valueFrom"]["secretKeyRef"]
    secret = json.loads(rehearsal.kubectl("get", "secret", key["name"], "--output=json"))
    assert base64.b64decode(secret["data"][key["key"]]).decode() == password
    # The head would be refused if it came first.
    given, started = (
        next(number for number, call in enumerate(calls) if step in call) for step in ("modify-user", "apply --kustomize build")
    )
    assert given < started
    state = rehearsal.client("s3").get_object(Bucket=STATE, Key="aws.tfstate")["Body"].read().decode()
    assert user["UserId"] in state
    assert password not in state + ended.stdout + ended.stderr + "".join(calls)
    assert not (rehearsal.build / "secret").exists()
    assert not (rehearsal.build / "user").exists()


@pytest.mark.parametrize(("processor", "architecture"), [("aarch64", "arm64"), ("x86_64", "amd64")])
def test_an_image_is_built_on_its_own_architecture_and_named_by_it(
    rehearsal: Rehearsal, tmp_path: Path, processor: str, architecture: str
) -> None:
    work = rehearsal.checkout / "work-in-progress"
    work.touch()  # so that its tag is new
    rehearsal.calls()
    ended = rehearsal.run("build", ARCHITECTURE=architecture, **on_a_machine_of(tmp_path, processor))
    work.unlink()
    assert ended.returncode == 0, ended.stderr
    (build,) = [call for call in rehearsal.calls() if call.startswith("docker build")]
    assert re.search(rf"--platform linux/{architecture} --target cpu --tag {REPOSITORY}:cpu-{architecture}-[0-9a-f]{{12}}-\d+ \.$", build)


def test_nothing_is_destroyed_without_its_name(rehearsal: Rehearsal) -> None:
    rehearsal.calls()
    ended = rehearsal.run("destroy", answer="yes\n")
    assert ended.returncode == 1
    assert "nothing was deleted" in ended.stderr
    assert not [call for call in rehearsal.calls() if "terraform" in call or "kubectl" in call]


def test_it_is_destroyed_from_inside_out_also_after_a_fault(rehearsal: Rehearsal) -> None:
    rehearsal.fail_once("terraform/aws destroy")
    assert rehearsal.run("destroy", answer="photos\n").returncode == 1
    rehearsal.calls()
    ended = rehearsal.run("destroy", answer="photos\n")
    assert ended.returncode == 0, ended.stderr
    order = ["delete rayjob", "delete rayservice", "delete namespace", "platform destroy", "wait nodeclaims", "describe-network-interfaces"]
    order += ["aws destroy", "delete-log-group", "bootstrap destroy"]
    calls = rehearsal.calls()
    positions = [next(number for number, call in enumerate(calls) if step in call) for step in order]
    assert positions == sorted(positions)
    # Only existing resources are unprotected; a full `apply` would recreate what an earlier attempt has deleted.
    (unprotecting,) = [call for call in calls if "terraform/aws apply" in call]
    assert sorted(re.findall(r"-target=(\S+)", unprotecting)) == [
        "module.cluster.aws_eks_cluster.this",
        "module.data.aws_s3_bucket.this",
        "module.models.aws_s3_bucket.this",
        "module.page.aws_s3_bucket.this",
        "module.registry.aws_ecr_repository.this",
    ]
    assert rehearsal.client("eks").list_clusters()["clusters"] == []
    assert not rehearsal.build.exists()
    assert (
        not list(rehearsal.checkout.glob("terraform/bootstrap/*.tfstate"))
        or '"resources": []' in next(rehearsal.checkout.glob(f"terraform/bootstrap/{STATE}.tfstate")).read_text()
    )


def test_destroying_what_cannot_be_asked_for_is_no_success(rehearsal: Rehearsal) -> None:
    rehearsal.fail_once("s3api head-bucket")
    ended = rehearsal.run("destroy", answer="photos\n")
    assert ended.returncode == 1
    assert "cannot reach the bucket of the state" in ended.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ARCHITECTURE=x86_64", "ARCHITECTURE is amd64 or arm64"),
        ("WORD=1", "there is no setting"),
        ("PROFILE=large", "PROFILE is lean, ha or gpu"),
        ('NAME="photos"', "values have no quotes"),
        ("NAME=Photos of all", "no spaces"),
    ],
)
def test_a_wrong_setting_is_named(rehearsal: Rehearsal, text: str, complaint: str) -> None:
    config = rehearsal.checkout / "deploy-config.env"
    config.write_text(text + "\n")
    ended = rehearsal.run("outputs")
    config.unlink()
    assert ended.returncode == 1
    assert complaint in ended.stderr


def on_a_machine_of(folder: Path, processor: str) -> dict[str, str]:
    """The environment in which `uname -m` says so."""
    uname = folder / "uname"
    uname.write_text(f"#!/bin/sh\necho {processor}\n")
    uname.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("processor", "architecture"), [("arm64", "amd64"), ("aarch64", "amd64"), ("x86_64", "arm64"), ("ppc64le", "amd64")]
)
def test_no_image_is_built_under_emulation(rehearsal: Rehearsal, tmp_path: Path, processor: str, architecture: str) -> None:
    """A build exports the models by running them; it is refused before anything is made."""
    rehearsal.calls()
    ended = rehearsal.run("deploy", ARCHITECTURE=architecture, **on_a_machine_of(tmp_path, processor))
    assert ended.returncode == 1
    assert f"cannot build for {architecture}: build on one that is" in ended.stderr
    assert not [call for call in rehearsal.calls() if not call.startswith("aws sts ")]


def test_gpus_have_no_arm64(rehearsal: Rehearsal) -> None:
    ended = rehearsal.run("deploy", PROFILE="gpu", ARCHITECTURE="arm64")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: PROFILE=gpu needs ARCHITECTURE=amd64: ")
    assert ended.stderr.count("\n") == 1
    assert rehearsal.calls() == []


def test_settings_of_deploy_sh_in_a_file_of_terraforms_are_refused(rehearsal: Rehearsal) -> None:
    """Terraform would use the file's values instead of deploy.sh's."""
    variables = rehearsal.checkout / "terraform" / "aws" / "terraform.tfvars"
    variables.write_text('region = "eu-west-1"\n')
    ended = rehearsal.run("outputs")
    variables.unlink()
    assert ended.returncode == 1
    assert "these belong into deploy-config.env" in ended.stderr


def test_help_names_every_command(rehearsal: Rehearsal) -> None:
    told = rehearsal.run("help").stdout
    for command in COMMANDS:
        assert f"{command} " in told or f"{command}," in told
    for words, complaint in ((["launch"], "there is no command launch"), (["destroy", "lean"], "destroy takes no arguments")):
        unknown = rehearsal.run(*words)
        assert unknown.returncode == 1
        assert complaint in unknown.stderr


@pytest.mark.parametrize("document", ["README.md", "terraform/README.md", "k8s/README.md", "deploy.sh"])
def test_documents_name_commands_that_there_are(document: str) -> None:
    named = set(re.findall(r"\./deploy\.sh ([a-z-]+)", (ROOT / document).read_text()))
    assert named
    assert named <= set(COMMANDS) | {"help"}


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    assert subprocess.run([shellcheck, "deploy.sh"], cwd=ROOT, capture_output=True, text=True, check=False).stdout == ""


@pytest.mark.parametrize(
    ("feature", "pattern"),
    [
        ("[[ -v NAME ]]", r"\[\[?[^\]]* -v "),
        ("associative arrays and references to names", r"\b(declare|local|typeset) -[a-zA-Z]*[An]\b"),
        ("mapfile", r"\b(mapfile|readarray)\b"),
        ("upper and lower case", r"\$\{\w+(\^|,)"),
        ("quoting by @", r"\$\{\w+@\w\}"),
        ("|& and &>>", r"\|&|&>>"),
        (";& in case", r";;?&"),
        ("coprocesses", r"\bcoproc\b"),
        ("wait -n", r"\bwait -n\b"),
        ("negative subscripts", r"\$\{\w+\[-"),
        ("a range with a negative length", r"\$\{\w+:[^}]*: ?-\d"),
        ("an array that may be empty, with set -u", r'(?<!\+)"\$\{(settings|actions)\[@\]\}"'),
    ],
)
def test_the_bash_of_macos_can_run_it(feature: str, pattern: str) -> None:
    """It is version 3.2, of 2007; none is here, so what came later is looked for."""
    assert re.findall(pattern, (ROOT / "deploy.sh").read_text()) == [], feature

"""A wrapper of one of deploy.sh's tools: `python tool.py NAME ARGUMENTS...`, in the environment that tests/infra/test_deploy.py sets.

It records each call and runs the real tool where there is one; resources that would then exist in the cloud are created in moto.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

STAGE = Path(os.environ["REHEARSAL"])
NAME, ARGUMENTS = sys.argv[1], sys.argv[2:]
CALL = " ".join([NAME, *ARGUMENTS])
DEPLOYMENT = os.environ["NAME"]


def client(service: str) -> Any:
    import boto3  # slow to import, and most calls do not need it

    return boto3.client(service)  # type: ignore[call-overload]


def real(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, check=False, **options)


def fails_now() -> bool:
    """Whether a fault is planned for this call; each happens once."""
    faults = STAGE / "faults"
    lines = faults.read_text().splitlines() if faults.exists() else []
    for fault in lines:
        if fault in CALL:
            lines.remove(fault)
            faults.write_text("\n".join(lines))
            return True
    return False


def terraform() -> int:
    root, command = Path(ARGUMENTS[0]).name, ARGUMENTS[1]
    options = ["-backend-config=use_path_style=true"] if command == "init" and root != "bootstrap" else []
    if command == "output":
        ended = real(os.environ["REAL_TERRAFORM"], *ARGUMENTS, capture_output=True)
        made = json.loads((STAGE / "made.json").read_text())
        outputs = json.loads(ended.stdout)
        outputs |= {name: {"value": value} for name, value in made.items() if (outputs.get(name) or {}).get("value") is not None}
        sys.stdout.write(json.dumps(outputs))
        return ended.returncode
    status = real(os.environ["REAL_TERRAFORM"], *ARGUMENTS, *options).returncode
    if status == 0 and command == "apply" and root == "bootstrap":
        account = client("sts").get_caller_identity()["Account"]
        client("s3").create_bucket(Bucket=f"{DEPLOYMENT}-{account}-{os.environ['AWS_REGION']}-state")
    if status == 0 and command == "apply" and root == "aws":
        make_what_terraform_did_not()
    if status == 0 and command == "destroy" and root == "aws":
        client("eks").delete_cluster(name=DEPLOYMENT)
    return status


def make_what_terraform_did_not() -> None:
    """Creates the resources that deploy.sh needs next, because the providers have no cloud."""
    if (STAGE / "made.json").exists():
        return
    name, bucket = DEPLOYMENT, "page-of-the-rehearsal"
    client("s3").create_bucket(Bucket=bucket)
    role = "arn:aws:iam::123456789012:role/cluster"
    client("eks").create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": []})
    repository = client("ecr").create_repository(repositoryName=name)["repository"]["repositoryUri"]
    origins = {
        "Quantity": 1,
        "Items": [{"Id": "page", "DomainName": f"{bucket}.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}],
    }
    behaviour = {"TargetOriginId": "page", "ViewerProtocolPolicy": "https-only"}
    distribution = client("cloudfront").create_distribution(
        DistributionConfig={"CallerReference": name, "Origins": origins, "DefaultCacheBehavior": behaviour, "Comment": "", "Enabled": True}
    )
    made = {
        "page_bucket": bucket,
        "image_repository_url": repository,
        "distribution_id": distribution["Distribution"]["Id"],
        "ray_token_secret_arn": client("secretsmanager").create_secret(Name=f"{name}-ray-token")["ARN"],
        "valkey_secret_arn": client("secretsmanager").create_secret(Name=f"{name}-valkey-password")["ARN"],
        "public_url": os.environ["PUBLIC_URL"],
        "target_group_arn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/serve/1",
    }
    (STAGE / "made.json").write_text(json.dumps(made))


def kubectl() -> int:
    if "--server-side" in ARGUMENTS:
        return 0  # KubeRay's definitions, from its repository
    # The fake API server is not an EKS cluster, and has no schemas for validation.
    options = ["--validate=false"] if "apply" in ARGUMENTS else []
    environment = os.environ | {"KUBECONFIG": os.devnull}
    return real("kubectl", f"--server={os.environ['KUBERNETES']}", *ARGUMENTS, *options, env=environment).returncode


def docker() -> int:
    if ARGUMENTS[0] == "push":
        repository, _, tag = ARGUMENTS[1].rpartition(":")
        client("ecr").put_image(
            repositoryName=repository.partition("/")[2],
            imageManifest=json.dumps({"tag": tag}),
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageTag=tag,
        )
    if "--password-stdin" in ARGUMENTS:
        sys.stdin.read()
    return 0


def npm() -> int:
    if ARGUMENTS[-1] == "build":
        dist = Path("ui/dist")
        (dist / "assets").mkdir(parents=True, exist_ok=True)
        (dist / "assets" / "index-1.js").write_text("'use strict'")
        (dist / "index.html").write_text("<!doctype html>")
        (dist / "favicon.svg").write_text("<svg/>")
        (dist / "sw.js").write_text("'use strict'")
        (dist / "config.json").write_text('{"apiUrl": ""}')
    return 0


def python() -> int:
    return real(sys.executable, *ARGUMENTS).returncode


def aws() -> int:
    if ARGUMENTS[0] == "service-quotas":  # moto does not know these
        sys.stdout.write(json.dumps({"Quota": {"Value": 64}}))
        return 0
    if ARGUMENTS[:2] == ["iam", "simulate-principal-policy"]:
        sys.stdout.write(json.dumps({"EvaluationResults": []}))
        return 0
    if ARGUMENTS[:2] == ["elasticache", "modify-user"]:
        (STAGE / "valkey-user.json").write_text(Path(ARGUMENTS[-1].removeprefix("file://")).read_text())
        return 0
    if ARGUMENTS[:2] == ["elasticache", "describe-users"]:
        sys.stdout.write("active" if (STAGE / "valkey-user.json").exists() else "modifying")
        return 0
    return real("aws", *ARGUMENTS).returncode


if __name__ == "__main__":
    with (STAGE / "calls").open("a") as calls:
        calls.write(CALL + "\n")
    if fails_now():
        sys.stderr.write(f"rehearsed fault: {CALL}\n")
        sys.exit(1)
    sys.exit({"terraform": terraform, "kubectl": kubectl, "docker": docker, "npm": npm, "python": python, "aws": aws}[NAME]())

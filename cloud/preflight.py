"""Whether an AWS account can take a deployment, asked before anything costs money: quotas, CloudFront, the deployer's permissions.

A fresh account has small quotas, a GPU quota of 0, and may have to be verified before CloudFront serves anything for it.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY = Path(__file__).parents[1] / "terraform" / "deployer-policy.json"

HEADS = "L-1216C47A"  # vCPUs of on-demand machines of the families a, c, d, h, i, m, r, t, z
SPOT = "L-34B43A08"  # of spot machines of the same families
GPUS, SPOT_GPUS = "L-DB2E81BA", "L-3819A6DF"  # of machines with GPUs (g, vt), on demand and spot


@dataclass(frozen=True)
class Need:
    """vCPUs that a profile takes while it is upgraded, when the old and the new cluster run side by side.

    Attributes:
        heads: on demand.
        workers: spot, or on demand where there is no spot.
        gpus: the same, of machines with GPUs.
    """

    heads: int
    workers: int
    gpus: int = 0


NEEDS = {"lean": Need(4, 8), "ha": Need(4, 16), "gpu": Need(4, 0, 8)}


class AwsError(Exception):
    """AWS' command line failed; the text is its own."""


class Aws:
    """AWS' command line.

    Args:
        program: the command.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def ask(self, *arguments: str) -> Any:
        """The parsed answer; None if there is none.

        Raises:
            AwsError: the command failed.
        """
        ended = subprocess.run([self._program, *arguments, "--output", "json"], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise AwsError(ended.stderr.strip())
        return json.loads(ended.stdout) if ended.stdout.strip() else None


def missing_quotas(aws: Aws, profile: str) -> Iterator[str]:
    """The quotas of EC2 that are too small for a profile, each with the command that asks for more."""
    need, have = NEEDS[profile], {}
    for code in (HEADS, SPOT, GPUS, SPOT_GPUS):
        found = aws.ask("service-quotas", "get-service-quota", "--service-code", "ec2", "--quota-code", code)
        have[code] = float(found["Quota"]["Value"])
    if have[HEADS] < need.heads:
        yield _too_small("on-demand machines", HEADS, have[HEADS], need.heads + need.workers)
    elif have[SPOT] < need.workers and have[HEADS] < need.heads + need.workers:
        yield _too_small("spot machines", SPOT, have[SPOT], need.workers)
    if max(have[GPUS], have[SPOT_GPUS]) < need.gpus:
        yield _too_small("machines with GPUs", GPUS, have[GPUS], need.gpus)


def _too_small(what: str, code: str, have: float, need: int) -> str:
    return (
        f"{have:.0f} vCPUs of {what} are allowed, and {need} are needed:"
        f" aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value {need}"
    )


def missing_permissions(aws: Aws, name: str, policy: Path = POLICY) -> Iterator[str]:
    """The actions of the deployer's policy that whoever deploys may not do; those with a star cannot be asked for.

    Raises:
        AwsError: they cannot be asked for.
    """
    caller = aws.ask("sts", "get-caller-identity")
    arn, account = caller["Arn"], caller["Account"]
    if arn.endswith(":root"):
        return
    if role := re.fullmatch(r"arn:[\w-]+:sts::\d+:assumed-role/([^/]+)/.*", arn):
        arn = aws.ask("iam", "get-role", "--role-name", role[1])["Role"]["Arn"]
    for statement in json.loads(policy.read_text().replace("NAME", name))["Statement"]:
        resources = [each.replace("::*:", f"::{account}:").replace("*", "any") if each != "*" else each for each in statement["Resource"]]
        context = [
            f"ContextKeyName={key},ContextKeyValues={','.join(values)},ContextKeyType=string"
            for keys in statement.get("Condition", {}).values()
            for key, values in keys.items()
        ]
        asked = ["iam", "simulate-principal-policy", "--policy-source-arn", arn, "--resource-arns", resources[0]]
        for actions in _in_parts([each for each in statement["Action"] if "*" not in each], 50):
            entries = ["--context-entries", *context] if context else []
            for result in aws.ask(*asked, *entries, "--action-names", *actions)["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    yield result["EvalActionName"]


def _in_parts(items: list[str], size: int) -> Iterable[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def try_cloudfront(aws: Aws, name: str) -> str | None:
    """Creates a disabled distribution in an account that has none, because only that shows whether AWS wants to verify the account first.

    Returns:
        its id, for `forget_distribution`; None if the account has distributions.

    Raises:
        AwsError: CloudFront refuses.
    """
    if (aws.ask("cloudfront", "list-distributions") or {}).get("DistributionList", {}).get("Quantity"):
        return None
    origin = {
        "Id": "none",
        "DomainName": "example.org",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
    }
    config = {
        "CallerReference": f"{name}-{time.time_ns()}",
        "Comment": f"{name}: whether this account may use CloudFront. Delete it",
        "Enabled": False,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "none",
            "ViewerProtocolPolicy": "https-only",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",  # AWS' own that caches nothing
        },
    }
    made = aws.ask("cloudfront", "create-distribution", "--distribution-config", json.dumps(config))
    identifier: str = made["Distribution"]["Id"]
    return identifier


def forget_distribution(aws: Aws, identifier: str) -> bool:
    """Deletes the distribution of `try_cloudfront`; False while CloudFront still distributes it, which takes minutes."""
    try:
        version = aws.ask("cloudfront", "get-distribution", "--id", identifier)["ETag"]
        aws.ask("cloudfront", "delete-distribution", "--id", identifier, "--if-match", version)
    except AwsError as error:
        return "NoSuchDistribution" in str(error)
    return True


def check(aws: Aws, profile: str, name: str, probe: Path) -> list[str]:
    """Everything that would stop a deployment; what cannot be asked is said and left out.

    Args:
        aws: AWS' command line.
        profile: lean, ha or gpu.
        name: of the deployment.
        probe: where the id of a distribution is kept that is to be deleted later.
    """
    found: list[str] = []
    try:
        lacking = sorted(set(missing_permissions(aws, name)))
        if lacking:
            found.append(f"you may not do these, which terraform/deployer-policy.json allows: {', '.join(lacking)}")
    except AwsError as error:
        print(f"Your permissions cannot be asked for, so a missing one shows later: {error}")
    try:
        found += missing_quotas(aws, profile)
    except AwsError as error:
        print(f"The quotas cannot be asked for: {error}")
    try:
        if not probe.exists() and (made := try_cloudfront(aws, name)):
            probe.write_text(made)
    except AwsError as error:
        verify = " Ask AWS' support to verify the account, which takes a day or two." if "verified" in str(error) else ""
        found.append(f"CloudFront refuses: {error}.{verify}")
    return found

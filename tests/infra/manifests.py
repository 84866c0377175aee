"""The manifests, rendered by kubectl."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.generate import overlays

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OUTPUTS = {
    "region": "eu-west-1",
    "log_group": "/photos/pods",
    "public_url": "https://photos.example.org",
    "target_group_arn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/serve/0123456789abcdef",
    "valkey_address": "rediss://valkey.example:6379",
    "valkey_user": "photos-ray",
}
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/gender-presentation@sha256:" + "a" * 64

OVERLAYS = [folder.name for folder in overlays()]
CLOUD = [name for name in OVERLAYS if name != "local"]
WITH_PODS = [*(f"overlays/{name}" for name in OVERLAYS), "tune"]

# CPUs and GiB of the smallest machine in each node pool, less what Kubernetes reserves and daemons use.
ALLOCATABLE = {"ray-head": (1.9, 6.8), "ray-cpu": (3.9, 6.7), "ray-gpu": (3.9, 14.0)}
OPERATOR = {"cpu": "100m", "memory": "512Mi"}  # its requests in terraform/platform

Manifest = dict[str, Any]


@cache
def render(folder: Path) -> tuple[Manifest, ...]:
    """The objects that `kubectl apply -k` would apply."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    ended = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return tuple(yaml.safe_load_all(ended.stdout))


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def ray_cluster(manifests: tuple[Manifest, ...]) -> Manifest:
    """Cluster spec of the RayService or RayJob."""
    found: list[Manifest] = [
        manifest["spec"].get("rayClusterConfig") or manifest["spec"]["rayClusterSpec"]
        for manifest in manifests
        if manifest["kind"] in ("RayService", "RayJob")
    ]
    assert len(found) == 1
    return found[0]


def groups(cluster: Manifest) -> list[Manifest]:
    """Head group and worker groups."""
    return [cluster["headGroupSpec"], *cluster.get("workerGroupSpecs", [])]


def serve_config_of(manifests: tuple[Manifest, ...]) -> Manifest:
    (service,) = of_kind(manifests, "RayService")
    config: Manifest = yaml.safe_load(service["spec"]["serveConfigV2"])
    return config


def configure(
    profile: str, folder: Path, *settings: str, image: str = IMAGE, outputs: dict[str, str] = OUTPUTS, architecture: str = "amd64"
) -> subprocess.CompletedProcess[str]:
    """Runs k8s/configure.py as deploy.sh does."""
    given = json.dumps({name: {"value": value, "sensitive": False, "type": "string"} for name, value in outputs.items()})
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, str(K8S / "configure.py"), "--profile", profile, "--architecture", architecture]
    command += ["--image", image, *options, str(folder)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def in_units(quantity: str) -> float:
    """CPUs or bytes."""
    number, suffix = re.fullmatch(r"([\d.]+)(\D*)", quantity).groups()  # type: ignore[union-attr] # Kubernetes' schema has checked it
    return float(number) * {"": 1, "m": 0.001, "Mi": 2**20, "Gi": 2**30}[suffix]

"""KubeRay's operator takes every manifest, and each rule of it that is known here refuses what it should."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.infra.kuberay_rules import faults
from tests.infra.manifests import K8S, OVERLAYS, WITH_PODS, Manifest, configure, of_kind, render

Change = dict[str, Any]


@pytest.mark.parametrize("path", WITH_PODS)
def test_the_operator_takes_it(path: str) -> None:
    assert [fault for manifest in render(K8S / path) for fault in faults(manifest)] == []


@pytest.mark.parametrize("profile", [*(name for name in OVERLAYS if name != "local"), "tune"])
def test_the_operator_takes_what_a_deployment_makes_of_it(profile: str, tmp_path: Path) -> None:
    assert configure(profile, tmp_path, "MANIFEST=s3://b/m.csv").returncode == 0
    assert [fault for manifest in render(tmp_path) for fault in faults(manifest)] == []


def test_the_operator_has_no_rule_for_what_is_not_its_own() -> None:
    assert faults({"kind": "Service", "metadata": {"name": "x" * 99}}) == []


def of(kind: str) -> Manifest:
    path = {"RayService": "overlays/ha", "RayJob": "tune", "RayCluster": "overlays/ha"}[kind]
    (manifest,) = of_kind(render(K8S / path), "RayService" if kind == "RayCluster" else kind)
    if kind == "RayCluster":
        return {"kind": kind, "metadata": {"name": "a"}, "spec": copy.deepcopy(manifest["spec"]["rayClusterConfig"])}
    return copy.deepcopy(manifest)


def env(**variables: str) -> list[Change]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def put(manifest: Manifest, path: str, value: Any) -> None:
    """Sets what is at a path; numbers are indices, `-` deletes."""
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    at: Any = manifest
    for part in way:
        if isinstance(at, dict) and at.get(part) is None:
            at[part] = {}
        at = at[part]
    if value == "-":
        at.pop(last, None)
    else:
        at[last] = value


CLUSTER = "spec/rayClusterConfig"
HEAD, WORKER = f"{CLUSTER}/headGroupSpec", f"{CLUSTER}/workerGroupSpecs/0"
HEAD_ENV = f"{HEAD}/template/spec/containers/0/env"
RULES = "spec/deletionStrategy/deletionRules"
BY_SELECTOR = {"spec/clusterSelector": {"ray.io/cluster": "a"}, "spec/rayClusterSpec": "-", "spec/backoffLimit": 0}
ONE_RULE = {"policy": "DeleteSelf", "condition": {"jobStatus": "FAILED"}}
LEGACY = {
    RULES: "-",
    "spec/deletionStrategy/onSuccess": {"policy": "DeleteSelf"},
    "spec/deletionStrategy/onFailure": {"policy": "DeleteSelf"},
}
INCREMENTAL = {"type": "NewClusterWithIncrementalUpgrade"}
STEPS = {"maxSurgePercent": 100, "stepSizePercent": 10, "intervalSeconds": 5, "gatewayClassName": "g"}

MUTATIONS: list[tuple[str, Change, str]] = [
    ("RayService", {"metadata/name": "a" * 48}, "more than 47 characters"),
    ("RayJob", {"metadata/name": "a" * 48}, "more than 47 characters"),
    ("RayCluster", {"metadata/name": "a" * 54}, "more than 53 characters"),
    ("RayService", {"metadata/name": "1st"}, "no DNS-1035 label"),
    ("RayService", {"metadata/annotations": {"ray.io/initializing-timeout": "soon"}}, "neither a duration nor seconds"),
    ("RayService", {"metadata/annotations": {"ray.io/initializing-timeout": "-5m"}}, "is not positive"),
    ("RayCluster", {"spec/upgradeStrategy": {"type": "NewCluster"}}, "is none of a RayCluster"),
    (
        "RayCluster",
        {"spec/upgradeStrategy": {"type": "Recreate"}, "metadata/labels": {"ray.io/originated-from-crd": "RayJob"}},
        "that a RayJob or RayService has made",
    ),
    # RayService
    ("RayService", {f"{CLUSTER}/authOptions/enableK8sTokenAuth": True, f"{CLUSTER}/authOptions/secretName": "-"}, "with a RayService"),
    ("RayService", {f"{HEAD}/headService": {"metadata": {"name": "a"}}}, "headService has a name"),
    ("RayService", {"spec/upgradeStrategy/type": "Rolling"}, "upgradeStrategy.type Rolling"),
    ("RayService", {"spec/rayClusterDeletionDelaySeconds": -1}, "rayClusterDeletionDelaySeconds is negative"),
    ("RayService", {"spec/upgradeStrategy": INCREMENTAL}, "without clusterUpgradeOptions"),
    (
        "RayService",
        {"spec/upgradeStrategy": INCREMENTAL | {"clusterUpgradeOptions": STEPS}, f"{CLUSTER}/enableInTreeAutoscaling": False},
        "upgrade without the autoscaler",
    ),
    *(
        ("RayService", {"spec/upgradeStrategy": INCREMENTAL | {"clusterUpgradeOptions": STEPS | change}}, why)
        for change, why in (
            ({"maxSurgePercent": 101}, "maxSurgePercent is no percentage"),
            ({"stepSizePercent": -1}, "stepSizePercent is no percentage"),
            ({"maxSurgePercent": 5}, "stepSizePercent exceeds maxSurgePercent"),
            ({"intervalSeconds": 0}, "intervalSeconds is not positive"),
            ({"gatewayClassName": ""}, "without gatewayClassName"),
        )
    ),
    # RayJob
    ("RayJob", {"spec/suspend": True}, "suspend without shutdownAfterJobFinishes"),
    ("RayJob", {"spec/suspend": True} | BY_SELECTOR, "suspend with clusterSelector"),
    ("RayJob", {"spec/ttlSecondsAfterFinished": -1}, "ttlSecondsAfterFinished is negative"),
    ("RayJob", {"spec/ttlSecondsAfterFinished": 5}, "ttlSecondsAfterFinished without shutdownAfterJobFinishes"),
    ("RayJob", {"spec/rayClusterSpec": "-"}, "neither rayClusterSpec nor clusterSelector"),
    ("RayJob", BY_SELECTOR | {"spec/clusterSelector": {"a": "b"}}, "clusterSelector names no cluster"),
    ("RayJob", BY_SELECTOR | {"spec/submissionMode": "SidecarMode"}, "clusterSelector in SidecarMode"),
    ("RayJob", BY_SELECTOR | {"spec/backoffLimit": 1}, "backoffLimit with clusterSelector"),
    ("RayJob", {"spec/submissionMode": "InteractiveMode"}, "backoffLimit in InteractiveMode"),
    ("RayJob", {"spec/submissionMode": "SidecarMode", "spec/submitterPodTemplate": {}}, "submitterPodTemplate in SidecarMode"),
    ("RayJob", {"spec/submissionMode": "SidecarMode", "spec/submitterConfig": {}}, "submitterConfig in SidecarMode"),
    (
        "RayJob",
        {"spec/submissionMode": "SidecarMode", "spec/rayClusterSpec/headGroupSpec/template/spec/restartPolicy": "Always"},
        "restartPolicy of the head in SidecarMode",
    ),
    ("RayJob", {"spec/rayClusterSpec/authOptions": {"mode": "token", "enableK8sTokenAuth": True}}, "with a RayJob"),
    ("RayJob", {"spec/runtimeEnvYAML": "a: [b"}, "runtimeEnvYAML is no YAML"),
    ("RayJob", {"spec/runtimeEnvYAML": "a"}, "runtimeEnvYAML is no mapping"),
    ("RayJob", {"spec/activeDeadlineSeconds": 0}, "activeDeadlineSeconds is not positive"),
    ("RayJob", {"spec/preRunningDeadlineSeconds": 0}, "preRunningDeadlineSeconds is not positive"),
    ("RayJob", {"spec/backoffLimit": -1}, "backoffLimit is negative"),
    ("RayJob", {"spec/shutdownAfterJobFinishes": True}, "deletionRules with shutdownAfterJobFinishes"),
    ("RayJob", {"spec/deletionStrategy/onSuccess": {"policy": "DeleteSelf"}}, "deletionRules with onSuccess or onFailure"),
    ("RayJob", {RULES: []}, "deletionStrategy is empty"),
    ("RayJob", LEGACY | {"spec/deletionStrategy/onFailure": "-"}, "need a policy each"),
    ("RayJob", LEGACY | BY_SELECTOR | {"spec/deletionStrategy/onFailure": {"policy": "DeleteCluster"}}, "deletes the cluster or its"),
    ("RayJob", LEGACY | {"spec/deletionStrategy/onFailure": {"policy": "DeleteWorkers"}}, "DeleteWorkers with the autoscaler"),
    (
        "RayJob",
        LEGACY | {"spec/deletionStrategy/onFailure": {"policy": "DeleteNone"}, "spec/shutdownAfterJobFinishes": True},
        "DeleteNone with shutdownAfterJobFinishes",
    ),
    ("RayJob", {f"{RULES}/0/condition/jobDeploymentStatus": "Failed"}, "one of jobStatus and jobDeploymentStatus"),
    ("RayJob", {f"{RULES}/0/condition": {}}, "one of jobStatus and jobDeploymentStatus"),
    ("RayJob", {f"{RULES}/0/condition/ttlSeconds": -1}, "ttlSeconds is negative"),
    ("RayJob", BY_SELECTOR, "DeleteCluster with clusterSelector"),
    ("RayJob", {f"{RULES}/0/policy": "DeleteWorkers"}, "DeleteWorkers with the autoscaler"),
    ("RayJob", {RULES: [ONE_RULE, ONE_RULE]}, "DeleteSelf twice for FAILED"),
    (
        "RayJob",
        {RULES: [ONE_RULE, {"policy": "DeleteCluster", "condition": {"jobStatus": "FAILED", "ttlSeconds": 5}}]},
        "are deleted in this order",
    ),
    # the cluster
    ("RayService", {f"{HEAD}/template/spec/containers": []}, "head has no container"),
    ("RayService", {f"{WORKER}/template/spec/containers": []}, "cpu has no container"),
    ("RayService", {f"{WORKER}/resources": {"CPU": "3"}}, "resources in rayStartParams and in resources"),
    ("RayService", {f"{HEAD}/rayStartParams/labels": "a=b"}, "labels in rayStartParams"),
    ("RayService", {f"{WORKER}/labels": {"-a": "b"}}, "cpu: label -a"),
    ("RayService", {f"{WORKER}/labels": {"a": "b c"}}, "cpu: value b c of a label"),
    ("RayService", {f"{CLUSTER}/enableInTreeAutoscaling": False, f"{WORKER}/minReplicas": "-"}, "maxReplicas without the autoscaler"),
    ("RayService", {f"{WORKER}/minReplicas": -1}, "negative replicas"),
    ("RayService", {f"{WORKER}/maxReplicas": 1}, "minReplicas above maxReplicas"),
    ("RayService", {f"{WORKER}/idleTimeoutSeconds": -1}, "cpu: idleTimeoutSeconds is negative"),
    (
        "RayService",
        {f"{WORKER}/idleTimeoutSeconds": 5, f"{CLUSTER}/autoscalerOptions/version": "v1"},
        "idleTimeoutSeconds without autoscaler v2",
    ),
    ("RayService", {f"{WORKER}/priority": 1, f"{CLUSTER}/rayVersion": "2.55.0"}, "priority before Ray 2.56"),
    ("RayService", {f"{WORKER}/priority": 1, f"{CLUSTER}/autoscalerOptions/version": "v1"}, "priority without autoscaler v2"),
    ("RayService", {f"{WORKER}/suspend": True}, "suspended with the autoscaler"),
    ("RayService", {"metadata/annotations": {"ray.io/ft-enabled": "true"}}, "ft-enabled with gcsFaultToleranceOptions"),
    ("RayService", {f"{CLUSTER}/gcsFaultToleranceOptions": "-", HEAD_ENV: env(RAY_REDIS_ADDRESS="a")}, "without gcsFaultToleranceOptions"),
    ("RayService", {HEAD_ENV: env(RAY_REDIS_ADDRESS="a")}, "RAY_REDIS_ADDRESS with gcsFaultToleranceOptions"),
    ("RayService", {HEAD_ENV: env(REDIS_PASSWORD="a")}, "REDIS_PASSWORD with gcsFaultToleranceOptions"),
    ("RayService", {f"{HEAD}/rayStartParams/redis-password": "a"}, "redis-password in rayStartParams"),
    ("RayService", {"metadata/annotations": {"ray.io/external-storage-namespace": "a"}}, "namespace with gcsFaultToleranceOptions"),
    ("RayService", {f"{CLUSTER}/gcsFaultToleranceOptions": {"backend": "rocksdb"}}, "GCSFaultToleranceEmbeddedStorage"),
    ("RayService", {f"{CLUSTER}/gcsFaultToleranceOptions/storage": {}}, "storage with backend redis"),
    ("RayService", {HEAD_ENV: env(REDIS_USERNAME="a")}, "a user of Redis outside"),
    ("RayService", {f"{HEAD}/rayStartParams/redis-username": "a"}, "a user of Redis outside"),
    ("RayService", {f"{CLUSTER}/enableInTreeAutoscaling": False, HEAD_ENV: env(RAY_enable_autoscaler_v2="1")}, "v2 without the autoscaler"),
    ("RayService", {HEAD_ENV: env(RAY_enable_autoscaler_v2="1")}, "v2 with autoscalerOptions.version"),
    ("RayService", {f"{WORKER}/template/spec/restartPolicy": "Always"}, "restartPolicy of cpu with autoscaler v2"),
    ("RayService", {f"{HEAD}/template/spec/restartPolicy": "Always"}, "restartPolicy of head with autoscaler v2"),
    ("RayService", {f"{CLUSTER}/autoscalerOptions/idleTimeoutSeconds": -1}, "autoscalerOptions.idleTimeoutSeconds is negative"),
    ("RayService", {f"{CLUSTER}/autoscalerOptions/env": env(KUBERAY_GEN_AUTOSCALER_START_CMD="a")}, "START_CMD in autoscalerOptions.env"),
    ("RayService", {f"{CLUSTER}/historyServerOptions": {}}, "needs the feature gate RayClusterHistoryServer"),
    ("RayService", {f"{CLUSTER}/networkPolicy": {}}, "needs the feature gate RayClusterNetworkPolicy"),
    ("RayService", {f"{CLUSTER}/tlsOptions": {}}, "needs the feature gate RayClusterMTLS"),
    ("RayCluster", {"spec/rayVersion": "2.51.0"}, "mode token before Ray 2.52"),
    ("RayCluster", {"spec/rayVersion": ""}, "mode token before Ray 2.52"),
    ("RayCluster", {"spec/rayVersion": "2.54.0", "spec/authOptions/enableK8sTokenAuth": True}, "enableK8sTokenAuth before Ray 2.55"),
    (
        "RayCluster",
        {"spec/authOptions": {"mode": "token", "enableK8sTokenAuth": True, "secretName": "a"}},
        "enableK8sTokenAuth with secretName",
    ),
    ("RayCluster", {"spec/authOptions": {"mode": "disabled", "enableK8sTokenAuth": True}}, "enableK8sTokenAuth without mode token"),
]


@pytest.mark.parametrize(("kind", "changes", "why"), MUTATIONS, ids=[f"{kind}: {why}" for kind, _, why in MUTATIONS])
def test_the_operator_refuses(kind: str, changes: Change, why: str) -> None:
    manifest = of(kind)
    for path, value in changes.items():
        put(manifest, path, copy.deepcopy(value))
    found = faults(manifest)
    assert any(why in fault for fault in found), found

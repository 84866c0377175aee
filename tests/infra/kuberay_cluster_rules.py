"""The rules of KubeRay's operator for the cluster in a RayService, RayJob or RayCluster; see kuberay_rules.py."""

import re
from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_PREFIX = r"(?=.{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
_V2 = "RAY_enable_autoscaler_v2"
_FT, _NAMESPACE = "ray.io/ft-enabled", "ray.io/external-storage-namespace"
# What needs a feature gate that is off by default.
_GATED = {"historyServerOptions": "RayClusterHistoryServer", "networkPolicy": "RayClusterNetworkPolicy", "tlsOptions": "RayClusterMTLS"}


def is_autoscaling(cluster: Spec | None) -> bool:
    """Whether Ray's autoscaler runs in the cluster."""
    return bool(cluster and cluster.get("enableInTreeAutoscaling"))


def autoscaler_version(cluster: Spec) -> str | None:
    """The autoscaler's version as the cluster names it."""
    version: str | None = (cluster.get("autoscalerOptions") or {}).get("version")
    return version


def cluster_faults(cluster: Spec, annotations: Spec) -> Iterator[str]:
    """Why the operator would refuse a cluster.

    Args:
        cluster: a RayClusterSpec.
        annotations: of the object that it is in.
    """
    head, workers = cluster["headGroupSpec"], cluster.get("workerGroupSpecs") or []
    without = [name for name, group in [("head", head), *((each["groupName"], each) for each in workers)] if not _containers(group)]
    if without:
        yield f"{without[0]} has no container"
        return
    yield from _group("head", head)
    for group in workers:
        yield from _worker_group(cluster, group)
    yield from _fault_tolerance(cluster, annotations)
    yield from _autoscaler(cluster)
    for name, gate in _GATED.items():
        if cluster.get(name) is not None:
            yield f"{name} needs the feature gate {gate}"
    yield from _authentication(cluster)


def _containers(group: Spec) -> list[Spec]:
    return group["template"]["spec"].get("containers") or []


def _environment(group: Spec) -> dict[str, Any]:
    """Variables of the Ray container; envFrom is not looked at, by the operator neither."""
    return {each["name"]: each.get("value", "") for each in _containers(group)[0].get("env") or []}


def _group(name: str, group: Spec) -> Iterator[str]:
    started, resources = group.get("rayStartParams") or {}, group.get("resources") or {}
    if resources and any(started.get(key) for key in ("num-cpus", "num-gpus", "memory", "resources")):
        yield f"{name}: resources in rayStartParams and in resources"
    if "labels" in started:
        yield f"{name}: labels in rayStartParams"
    for key, value in (group.get("labels") or {}).items():
        if not re.fullmatch(f"({_LABEL_PREFIX})?{_LABEL_NAME}", key):
            yield f"{name}: label {key}"
        if value and not re.fullmatch(_LABEL_NAME, value):
            yield f"{name}: value {value} of a label"


def _worker_group(cluster: Spec, group: Spec) -> Iterator[str]:
    name, least, most = group["groupName"], group.get("minReplicas"), group.get("maxReplicas")
    if not is_autoscaling(cluster) and (least is None or most is None):
        yield f"{name}: minReplicas and maxReplicas without the autoscaler"
    if (least or 0) < 0 or (most or 0) < 0:
        yield f"{name}: negative replicas"
    if least is not None and most is not None and least > most:
        yield f"{name}: minReplicas above maxReplicas"
    yield from _group(name, group)
    idle, priority = group.get("idleTimeoutSeconds"), group.get("priority")
    if idle is not None and idle < 0:
        yield f"{name}: idleTimeoutSeconds is negative"
    elif idle is not None and not _is_v2(cluster):
        yield f"{name}: idleTimeoutSeconds without autoscaler v2"
    if priority and not _at_least(cluster, (2, 56)):
        yield f"{name}: priority before Ray 2.56"
    elif priority and not _is_v2(cluster):
        yield f"{name}: priority without autoscaler v2"
    if group.get("suspend") and is_autoscaling(cluster):
        yield f"{name}: suspended with the autoscaler"


def _is_v2(cluster: Spec) -> bool:
    return autoscaler_version(cluster) == "v2" or _environment(cluster["headGroupSpec"]).get(_V2) in ("1", "true")


def _at_least(cluster: Spec, least: tuple[int, int]) -> bool:
    """Whether rayVersion is readable and new enough."""
    found = re.match(r"v?(\d+)\.(\d+)", str(cluster.get("rayVersion", "")))
    return found is not None and (int(found[1]), int(found[2])) >= least


def _fault_tolerance(cluster: Spec, annotations: Spec) -> Iterator[str]:
    options, head = cluster.get("gcsFaultToleranceOptions"), cluster["headGroupSpec"]
    environment, started = _environment(head), head.get("rayStartParams") or {}
    if annotations.get(_FT) and options is not None:
        yield f"{_FT} with gcsFaultToleranceOptions"
    if options is None and annotations.get(_FT, "").lower() != "true" and "RAY_REDIS_ADDRESS" in environment:
        yield "RAY_REDIS_ADDRESS without gcsFaultToleranceOptions"
    if options is not None:
        yield from (f"{name} with gcsFaultToleranceOptions" for name in ("REDIS_PASSWORD", "RAY_REDIS_ADDRESS") if name in environment)
        if started.get("redis-password"):
            yield "redis-password in rayStartParams with gcsFaultToleranceOptions"
        if annotations.get(_NAMESPACE):
            yield f"{_NAMESPACE} with gcsFaultToleranceOptions"
        if options.get("backend", "redis") == "rocksdb":
            yield "backend rocksdb needs the feature gate GCSFaultToleranceEmbeddedStorage"
        elif options.get("storage") is not None:
            yield "gcsFaultToleranceOptions.storage with backend redis"
    if started.get("redis-username") or "REDIS_USERNAME" in environment:
        yield "a user of Redis outside of gcsFaultToleranceOptions"


def _autoscaler(cluster: Spec) -> Iterator[str]:
    options = cluster.get("autoscalerOptions") or {}
    environment = _environment(cluster["headGroupSpec"])
    if not is_autoscaling(cluster) and environment.get(_V2) in ("1", "true"):
        yield f"{_V2} without the autoscaler"
    if is_autoscaling(cluster) and options.get("version") is not None and _V2 in environment:
        yield f"{_V2} with autoscalerOptions.version"
    if is_autoscaling(cluster) and options.get("version") == "v2":
        for group in [cluster["headGroupSpec"], *(cluster.get("workerGroupSpecs") or [])]:
            if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
                yield f"restartPolicy of {group.get('groupName', 'head')} with autoscaler v2"
    if (options.get("idleTimeoutSeconds") or 0) < 0:
        yield "autoscalerOptions.idleTimeoutSeconds is negative"
    if "KUBERAY_GEN_AUTOSCALER_START_CMD" in {each["name"] for each in options.get("env") or []}:
        yield "KUBERAY_GEN_AUTOSCALER_START_CMD in autoscalerOptions.env"


def _authentication(cluster: Spec) -> Iterator[str]:
    options = cluster.get("authOptions") or {}
    of_kubernetes = options.get("enableK8sTokenAuth")
    if options.get("mode") != "token":
        if of_kubernetes:
            yield "enableK8sTokenAuth without mode token"
        return
    if not _at_least(cluster, (2, 52)):
        yield "mode token before Ray 2.52"
    if of_kubernetes and not _at_least(cluster, (2, 55)):
        yield "enableK8sTokenAuth before Ray 2.55"
    if of_kubernetes and options.get("secretName"):
        yield "enableK8sTokenAuth with secretName"

"""The rules by which KubeRay's operator 1.7 refuses a RayService, RayJob or RayCluster, beyond what its definitions say.

They follow ray-operator/controllers/ray/utils/validation.go, rule by rule and in its order, with the feature gates as they are by default:
RayJobDeletionPolicy, RayMultiHostIndexing and RayServiceIncrementalUpgrade are on; RayClusterHistoryServer, RayClusterNetworkPolicy,
RayClusterMTLS and GCSFaultToleranceEmbeddedStorage are off, so whatever needs one of these is refused whole.
"""

import re
from collections.abc import Iterator

import yaml

from tests.infra.kuberay_cluster_rules import Spec, cluster_faults, is_autoscaling

_CLUSTER_NAME = 53  # the longest name of a RayCluster; RayServices and RayJobs add a hyphen and five characters to theirs
_DNS_1035 = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_DURATION = r"[-+]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+"
_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")


def faults(manifest: Spec) -> list[str]:
    """Why the operator would refuse this object; empty for one that it takes, and for one that is not its own."""
    kind = manifest["kind"]
    if kind == "RayService":
        return [*_metadata(manifest, _CLUSTER_NAME - 6), *_timeout(manifest), *_service(manifest)]
    if kind == "RayJob":
        return [*_metadata(manifest, _CLUSTER_NAME - 6), *_job(manifest)]
    if kind == "RayCluster":
        return [*_metadata(manifest, _CLUSTER_NAME), *cluster_faults(manifest["spec"], _annotations(manifest)), *_cluster_upgrade(manifest)]
    return []


def _annotations(manifest: Spec) -> Spec:
    return manifest["metadata"].get("annotations") or {}


def _metadata(manifest: Spec, longest: int) -> Iterator[str]:
    name = manifest["metadata"]["name"]
    if len(name) > longest:
        yield f"the name has more than {longest} characters"
    if not re.fullmatch(_DNS_1035, name):
        yield "the name is no DNS-1035 label"


def _timeout(manifest: Spec) -> Iterator[str]:
    text = _annotations(manifest).get("ray.io/initializing-timeout")
    if text:
        number = re.match(r"[-+]?[\d.]*", text)
        if not re.fullmatch(_DURATION, text) and not re.fullmatch(r"[-+]?\d+", text):
            yield "ray.io/initializing-timeout is neither a duration nor seconds"
        elif number is None or float(number[0]) <= 0:
            yield "ray.io/initializing-timeout is not positive"


def _cluster_upgrade(manifest: Spec) -> Iterator[str]:
    kind = (manifest["spec"].get("upgradeStrategy") or {}).get("type")
    if kind not in (None, "Recreate", "None"):
        yield f"upgradeStrategy.type {kind} is none of a RayCluster"
    if kind and (manifest["metadata"].get("labels") or {}).get("ray.io/originated-from-crd") in ("RayJob", "RayService"):
        yield "upgradeStrategy of a cluster that a RayJob or RayService has made"


# --- RayService ------------------------------------------------------------------------------------------------------------------------


def _service(manifest: Spec) -> Iterator[str]:
    spec, cluster = manifest["spec"], manifest["spec"]["rayClusterConfig"]
    if (cluster.get("authOptions") or {}).get("enableK8sTokenAuth"):
        yield "K8s token auth with a RayService"
    yield from cluster_faults(cluster, _annotations(manifest))
    if (cluster["headGroupSpec"].get("headService") or {}).get("metadata", {}).get("name"):
        yield "headService has a name"
    strategy = spec.get("upgradeStrategy") or {}
    if strategy.get("type") not in (None, "None", "NewCluster", "NewClusterWithIncrementalUpgrade"):
        yield f"upgradeStrategy.type {strategy['type']}"
    if (spec.get("rayClusterDeletionDelaySeconds") or 0) < 0:
        yield "rayClusterDeletionDelaySeconds is negative"
    if strategy.get("type") == "NewClusterWithIncrementalUpgrade":
        yield from _incremental(cluster, strategy.get("clusterUpgradeOptions"))


def _incremental(cluster: Spec, options: Spec | None) -> Iterator[str]:
    if not is_autoscaling(cluster):
        yield "an incremental upgrade without the autoscaler"
    if options is None:
        yield "an incremental upgrade without clusterUpgradeOptions"
        return
    surge, step = options.get("maxSurgePercent", 100), options.get("stepSizePercent")
    if not 0 <= surge <= 100:
        yield "maxSurgePercent is no percentage"
    if step is None or not 0 <= step <= 100:
        yield "stepSizePercent is no percentage"
    elif step > surge:
        yield "stepSizePercent exceeds maxSurgePercent"
    if (options.get("intervalSeconds") or 0) <= 0:
        yield "intervalSeconds is not positive"
    if not options.get("gatewayClassName"):
        yield "an incremental upgrade without gatewayClassName"


# --- RayJob ----------------------------------------------------------------------------------------------------------------------------


def _job(manifest: Spec) -> Iterator[str]:
    spec = manifest["spec"]
    cluster, selector, mode = spec.get("rayClusterSpec"), spec.get("clusterSelector") or {}, spec.get("submissionMode", "K8sJobMode")
    retries = spec.get("backoffLimit") or 0
    if spec.get("suspend") and not spec.get("shutdownAfterJobFinishes"):
        yield "suspend without shutdownAfterJobFinishes"
    if spec.get("ttlSecondsAfterFinished", 0) < 0:
        yield "ttlSecondsAfterFinished is negative"
    yield from _deletion(spec)
    if spec.get("suspend") and selector:
        yield "suspend with clusterSelector"
    if cluster is None and not selector:
        yield "neither rayClusterSpec nor clusterSelector"
    if selector:
        if not selector.get("ray.io/cluster"):
            yield "clusterSelector names no cluster"
        if mode == "SidecarMode":
            yield "clusterSelector in SidecarMode"
        if retries > 0:
            yield "backoffLimit with clusterSelector"
    if mode == "InteractiveMode" and retries > 0:
        yield "backoffLimit in InteractiveMode"
    if mode == "SidecarMode":
        yield from (f"{name} in SidecarMode" for name in ("submitterPodTemplate", "submitterConfig") if spec.get(name) is not None)
        if cluster and cluster["headGroupSpec"]["template"]["spec"].get("restartPolicy", "Never") != "Never":
            yield "restartPolicy of the head in SidecarMode"
    if cluster is not None:
        if (cluster.get("authOptions") or {}).get("enableK8sTokenAuth"):
            yield "K8s token auth with a RayJob"
        yield from cluster_faults(cluster, _annotations(manifest))
    yield from _runtime_env(spec.get("runtimeEnvYAML", ""))
    for name in ("activeDeadlineSeconds", "preRunningDeadlineSeconds"):
        if spec.get(name) is not None and spec[name] <= 0:
            yield f"{name} is not positive"
    if retries < 0:
        yield "backoffLimit is negative"


def _runtime_env(text: str) -> Iterator[str]:
    try:
        if not isinstance(yaml.safe_load(text) or {}, dict):
            yield "runtimeEnvYAML is no mapping"
    except yaml.YAMLError:
        yield "runtimeEnvYAML is no YAML"


def _deletion(spec: Spec) -> Iterator[str]:
    shuts_down, strategy = spec.get("shutdownAfterJobFinishes"), spec.get("deletionStrategy")
    if not shuts_down and spec.get("ttlSecondsAfterFinished", 0) > 0:
        yield "ttlSecondsAfterFinished without shutdownAfterJobFinishes"
    if strategy is None:
        return
    rules, legacy = strategy.get("deletionRules") or [], [strategy.get("onSuccess"), strategy.get("onFailure")]
    if rules and shuts_down:
        yield "deletionRules with shutdownAfterJobFinishes"
    if rules and legacy != [None, None]:
        yield "deletionRules with onSuccess or onFailure"
    if legacy != [None, None]:
        yield from _legacy_deletion(spec, legacy)
    elif rules:
        yield from _rules(spec, rules)
    else:
        yield "deletionStrategy is empty"


def _legacy_deletion(spec: Spec, legacy: list[Spec | None]) -> Iterator[str]:
    policies = [(each or {}).get("policy") for each in legacy]
    if None in policies:
        yield "onSuccess and onFailure need a policy each"
    if spec.get("clusterSelector") and {"DeleteCluster", "DeleteWorkers"} & set(policies):
        yield "clusterSelector with a policy that deletes the cluster or its workers"
    if "DeleteWorkers" in policies and is_autoscaling(spec.get("rayClusterSpec")):
        yield "DeleteWorkers with the autoscaler"
    if "DeleteNone" in policies and spec.get("shutdownAfterJobFinishes"):
        yield "DeleteNone with shutdownAfterJobFinishes"


def _rules(spec: Spec, rules: list[Spec]) -> Iterator[str]:
    delays: dict[tuple[str, str], dict[str, int]] = {}
    for number, rule in enumerate(rules):
        policy, condition = rule["policy"], rule["condition"]
        states = [(key, condition[key]) for key in ("jobStatus", "jobDeploymentStatus") if condition.get(key) is not None]
        if len(states) != 1:
            yield f"deletionRules[{number}]: one of jobStatus and jobDeploymentStatus"
        elif condition.get("ttlSeconds", 0) < 0:
            yield f"deletionRules[{number}]: ttlSeconds is negative"
        elif spec.get("clusterSelector") and policy in ("DeleteCluster", "DeleteWorkers"):
            yield f"deletionRules[{number}]: {policy} with clusterSelector"
        elif policy == "DeleteWorkers" and is_autoscaling(spec.get("rayClusterSpec")):
            yield f"deletionRules[{number}]: DeleteWorkers with the autoscaler"
        elif policy in (known := delays.setdefault(states[0], {})):
            yield f"deletionRules[{number}]: {policy} twice for {states[0][1]}"
        else:
            known[policy] = condition.get("ttlSeconds", 0)
    for (_, state), known in delays.items():
        in_order = [known[policy] for policy in _ORDER if policy in known]
        if in_order != sorted(in_order):
            yield f"deletionRules for {state}: workers, cluster and job are deleted in this order"

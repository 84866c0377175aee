"""The pods that KubeRay's operator 1.7 makes of a manifest: its own containers, init containers, volumes, labels and probes added.

As common/pod.go, common/job.go and buildRedisCleanupJob of its controllers build them, with its default settings and feature gates.
Commands and variables are left out: nothing here judges them.
"""

import copy
from typing import Any

from tests.infra.kuberay_cluster_rules import autoscaler_version, is_autoscaling

Pod = dict[str, Any]

SERVE = "ray.io/serve"
_HTTP_PROBES = (2, 53)  # the first Ray that answers /api/healthz
_SUBMITTER = {"requests": {"cpu": "500m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
_WAITING = {"cpu": "200m", "memory": "256Mi"}
_AUTOSCALER = {"cpu": "500m", "memory": "512Mi"}


def pods(manifest: Pod, cluster_name: str = "cluster-abcde") -> dict[str, Pod]:
    """Every pod of a RayService or RayJob, by what it is: head, the groups of workers, submitter, redis-cleanup.

    Args:
        manifest: the RayService or RayJob.
        cluster_name: of the RayCluster that the operator makes; an upgrade makes another one.
    """
    spec = manifest["spec"]
    cluster = copy.deepcopy(spec.get("rayClusterConfig") or spec["rayClusterSpec"])
    mode = spec.get("submissionMode", "K8sJobMode") if manifest["kind"] == "RayJob" else None
    submitter = {"name": "ray-job-submitter", "image": _ray(cluster["headGroupSpec"])["image"], "resources": _SUBMITTER}
    if mode == "SidecarMode":
        cluster["headGroupSpec"]["template"]["spec"]["containers"].append(submitter)
    serves = manifest["kind"] == "RayService"
    made = {"head": _head(cluster, cluster_name, serves)}
    for group in cluster.get("workerGroupSpecs") or []:
        made[group["groupName"]] = _worker(cluster, group, cluster_name, serves)
    if mode == "K8sJobMode":
        default = {"metadata": {}, "spec": {"containers": [submitter], "restartPolicy": "Never"}}
        made["submitter"] = copy.deepcopy(spec.get("submitterPodTemplate") or default)
    if cluster.get("gcsFaultToleranceOptions"):
        made["redis-cleanup"] = _redis_cleanup(made["head"])
    return made


def _ray(group: Pod) -> Pod:
    """The container that the operator takes for Ray's: the first one."""
    found: Pod = group["template"]["spec"]["containers"][0]
    return found


def _pod(group: Pod, cluster_name: str, node_type: str, serves: bool) -> Pod:
    pod: Pod = copy.deepcopy(group["template"])
    labels = {
        "ray.io/is-ray-node": "yes",
        "app.kubernetes.io/name": "kuberay",
        "app.kubernetes.io/created-by": "kuberay-operator",
        **(pod["metadata"].get("labels") or {}),
        "ray.io/cluster": cluster_name,
        "ray.io/node-type": node_type,
        "ray.io/group": group.get("groupName", "headgroup"),
    }
    if serves:
        labels[SERVE] = str(node_type == "worker").lower()  # of a head, the operator asks its proxy, and sets the label
    pod["metadata"]["labels"] = labels
    if "plasma-directory" not in group.get("rayStartParams", {}):
        _mount(pod, pod["spec"]["containers"][0], "shared-mem", "/dev/shm", {"medium": "Memory"})
    return pod


def _mount(pod: Pod, container: Pod, name: str, path: str, empty_dir: Pod) -> None:
    """Adds an emptyDir, unless the container has something mounted there."""
    mounts = container.setdefault("volumeMounts", [])
    if path in {each["mountPath"] for each in mounts}:
        return
    volumes = pod["spec"].setdefault("volumes", [])
    if name not in {each["name"] for each in volumes}:
        volumes.append({"name": name, "emptyDir": empty_dir})
    mounts.append({"name": name, "mountPath": path})


def _head(cluster: Pod, cluster_name: str, serves: bool) -> Pod:
    pod = _pod(cluster["headGroupSpec"], cluster_name, "head", serves)
    ray = pod["spec"]["containers"][0]
    _probe(cluster, ray, None)
    if is_autoscaling(cluster):
        options = cluster.get("autoscalerOptions") or {}
        autoscaler = {"name": "autoscaler", "image": ray["image"], "resources": {"requests": _AUTOSCALER, "limits": _AUTOSCALER}}
        autoscaler |= {key: options[key] for key in ("resources", "image", "securityContext", "volumeMounts") if key in options}
        pod["spec"]["containers"].append(autoscaler)
        for container in (ray, autoscaler):
            _mount(pod, container, "ray-logs", "/tmp/ray", {})
        if autoscaler_version(cluster) == "v2":
            pod["spec"]["restartPolicy"] = "Never"
    return pod


def _worker(cluster: Pod, group: Pod, cluster_name: str, serves: bool) -> Pod:
    pod = _pod(group, cluster_name, "worker", serves)
    ray = pod["spec"]["containers"][0]
    waiting = {"name": "wait-gcs-ready", "image": ray["image"], "resources": {"requests": _WAITING, "limits": _WAITING}}
    taken = {key: copy.deepcopy(_ray(group)[key]) for key in ("securityContext", "volumeMounts") if key in _ray(group)}
    pod["spec"].setdefault("initContainers", []).append(waiting | taken)
    _probe(cluster, ray, "serve" if serves else None)
    if is_autoscaling(cluster) and autoscaler_version(cluster) == "v2":
        pod["spec"]["restartPolicy"] = "Never"
    return pod


def _probe(cluster: Pod, ray: Pod, serve: str | None) -> None:
    """The probes that a container without its own gets."""
    version = tuple(int(part) for part in cluster["rayVersion"].split(".")[:2])
    healthy: Pod = (
        {"httpGet": {"path": "/api/healthz", "port": 52365}} if version >= _HTTP_PROBES else {"exec": {"command": ["bash", "-c", "wget"]}}
    )
    ray.setdefault("livenessProbe", copy.deepcopy(healthy))
    if serve:
        healthy = {"exec": {"command": ["bash", "-c", "wget -q -O- http://localhost:8000/-/healthz | grep success"]}, "failureThreshold": 1}
    ray.setdefault("readinessProbe", healthy)


def _redis_cleanup(head: Pod) -> Pod:
    pod = copy.deepcopy(head)
    (ray, *_) = pod["spec"]["containers"]
    for name in ("livenessProbe", "readinessProbe"):
        ray.pop(name, None)
    ray["resources"] = {"requests": _WAITING, "limits": _WAITING}
    pod["spec"] |= {"containers": [ray], "restartPolicy": "Never"}
    pod["metadata"]["labels"]["ray.io/node-type"] = "redis-cleanup"
    return pod

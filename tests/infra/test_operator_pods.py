"""The pods that KubeRay's operator makes of the manifests: the namespace admits them, and they fit their machines."""

import copy
from typing import Any

import pytest

from tests.infra import pod_security
from tests.infra.manifests import ALLOCATABLE, CLOUD, K8S, OPERATOR, WITH_PODS, Manifest, in_units, of_kind, render
from tests.infra.operator_pods import SERVE, pods


def of(path: str) -> Manifest:
    (found,) = [each for each in render(K8S / path) if each["kind"] in ("RayService", "RayJob")]
    return copy.deepcopy(found)


@pytest.mark.parametrize("path", WITH_PODS)
def test_the_namespace_admits_each_pod_that_the_operator_makes(path: str) -> None:
    (namespace,) = of_kind(render(K8S / "overlays/lean"), "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {name: pod_security.faults(pod) for name, pod in pods(of(path)).items() if pod_security.faults(pod)} == {}


def test_the_operators_own_containers_are_among_them() -> None:
    made = pods(of("overlays/ha"))
    names = {
        name: [each["name"] for kind in ("initContainers", "containers") for each in pod["spec"].get(kind, [])]
        for name, pod in made.items()
    }
    assert {"ray", "autoscaler"} <= set(names["head"])
    assert "wait-gcs-ready" in names["cpu"]
    assert names["redis-cleanup"][-1] == "ray"


def test_a_submitter_as_the_operator_makes_it_is_refused() -> None:
    job = of("tune")
    job["spec"]["submissionMode"] = "SidecarMode"
    assert any("ray-job-submitter" in fault for fault in pod_security.faults(pods(job)["head"]))
    del job["spec"]["submissionMode"]
    assert pod_security.faults(pods(job)["submitter"])


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("", {"hostNetwork": True}),
        ("", {"hostPID": True}),
        ("", {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}),
        ("securityContext", {"sysctls": [{"name": "kernel.msgmax"}]}),
        ("securityContext", {"runAsNonRoot": False}),
        ("securityContext", {"runAsUser": 0}),
        ("securityContext", {"seccompProfile": {"type": "Unconfined"}}),
        ("securityContext", {"seLinuxOptions": {"role": "a"}}),
        ("securityContext", {"appArmorProfile": {"type": "Unconfined"}}),
        ("securityContext", {"windowsOptions": {"hostProcess": True}}),
        ("containers/0", {"ports": [{"containerPort": 1, "hostPort": 1}]}),
        ("containers/0", {"startupProbe": {"httpGet": {"host": "example.org"}}}),
        ("containers/0", {"lifecycle": {"preStop": {"httpGet": {"host": "example.org"}}}}),
        ("containers/0/securityContext", {"privileged": True}),
        ("containers/0/securityContext", {"allowPrivilegeEscalation": None}),
        ("containers/0/securityContext", {"capabilities": {"drop": ["NET_RAW"]}}),
        ("containers/0/securityContext", {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
        ("containers/0/securityContext", {"procMount": "Unmasked"}),
        ("initContainers/0", {"securityContext": None}),
    ],
)
def test_a_weaker_pod_is_refused(at: str, value: dict[str, Any]) -> None:
    pod = copy.deepcopy(pods(of("overlays/lean"))["cpu"])
    place: Any = pod["spec"]
    for part in at.split("/") if at else []:
        place = place[int(part) if part.isdigit() else part]
    place |= value
    assert pod_security.faults(pod)


@pytest.mark.parametrize("path", [*(f"overlays/{name}" for name in CLOUD), "tune"])
def test_pods_fit_the_smallest_machines(path: str) -> None:
    """A pod asks for the sum of its containers, or for its largest init container beside those that keep running."""
    for name, pod in pods(of(path)).items():
        spec = pod["spec"]
        starting = spec.get("initContainers", [])
        running = [each for each in starting if each.get("restartPolicy") == "Always"] + spec["containers"]
        cpus, memory = ALLOCATABLE[spec["nodeSelector"]["karpenter.sh/nodepool"]]
        beside = OPERATOR if name == "head" else {"cpu": "0", "memory": "0"}  # the operator may run on the same machine
        for resource, most in (("cpu", cpus), ("memory", memory * 2**30)):
            needed = [in_units(each["resources"]["requests"][resource]) for each in running]
            largest = max([in_units(each["resources"]["requests"][resource]) for each in starting], default=0)
            assert max(sum(needed), largest) + in_units(beside[resource]) <= most, (name, resource)


@pytest.mark.parametrize("path", WITH_PODS)
def test_whose_logs_are_followed_writes_where_they_are_read(path: str) -> None:
    """KubeRay mounts a volume of its own at /tmp/ray of a head with the autoscaler, inside of whatever is at /tmp."""
    for pod in pods(of(path)).values():
        containers = {each["name"]: each for kind in ("initContainers", "containers") for each in pod["spec"].get(kind, [])}
        if "logs" in containers:
            assert volume_of(containers["ray"], "/tmp/ray") == volume_of(containers["logs"], "/tmp/ray")


def volume_of(container: Manifest, path: str) -> str:
    """The volume that a path in the container is on."""
    mounts = [each for each in container["volumeMounts"] if f"{path}/".startswith(f"{each['mountPath'].rstrip('/')}/")]
    name: str = max(mounts, key=lambda each: len(each["mountPath"]))["name"]
    return name


@pytest.mark.parametrize("name", CLOUD)
def test_an_upgrade_leaves_the_targets_of_both_clusters_in_place(name: str) -> None:
    """The operator's own Service flips to the new cluster at once, before the load balancer has seen its pods healthy."""
    rendered = render(K8S / "overlays" / name)
    (binding,) = of_kind(rendered, "TargetGroupBinding")
    (service,) = [each for each in of_kind(rendered, "Service") if each["metadata"]["name"] == binding["spec"]["serviceRef"]["name"]]
    selector = service["spec"]["selector"].items()
    for cluster in ("gender-presentation-old", "gender-presentation-new"):
        made = pods(of(f"overlays/{name}"), cluster)
        for group, pod in made.items():
            serves = pod["metadata"]["labels"][SERVE] == "true"
            assert (selector <= pod["metadata"]["labels"].items()) == serves, group
        made["head"]["metadata"]["labels"][SERVE] = "true"  # the operator's, once the head's proxy is healthy
        assert selector <= made["head"]["metadata"]["labels"].items()
    assert not any(selector <= pod["metadata"]["labels"].items() for pod in pods(of("tune")).values())

"""The manifests are valid, consistent with the service, secure, and fit their nodes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray._private.ray_constants as ray_constants
import yaml
from kubernetes_validate import validate
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from k8s.generate import CONFIG, Sizes, manifests, serve_config
from serve_app.graph.ray_internals import IN_PODS
from serve_app.settings import Settings
from tests.infra.manifests import (
    CLOUD,
    IMAGE,
    K8S,
    OUTPUTS,
    OVERLAYS,
    ROOT,
    WITH_PODS,
    Manifest,
    configure,
    groups,
    in_units,
    of_kind,
    ray_cluster,
    render,
    serve_config_of,
)

KUBERNETES = "1.35"  # default of Terraform's root aws
NOT_BUILT_IN = {"RayService", "RayJob", "TargetGroupBinding", "PodMonitor", "PrometheusRule"}
EVERYTHING = [*(f"overlays/{name}" for name in OVERLAYS), "tune", "monitoring"]
CRD_CHECK = Path(os.environ.get("KUBERNETES_OFFLINE", ROOT.parent / "shared" / "tools" / "kubernetes-offline")) / "crd_check.py"


def pods(path: str) -> dict[str, Manifest]:
    """Pod templates, by group."""
    return {group.get("groupName", "head"): group["template"] for group in groups(ray_cluster(render(K8S / path)))}


def test_what_is_written_is_what_make_manifests_would_write() -> None:
    for path, text in manifests().items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run `make manifests`"


@pytest.mark.parametrize("path", EVERYTHING)
def test_kubernetes_own_kinds_are_valid(path: str) -> None:
    checked = [manifest for manifest in render(K8S / path) if manifest["kind"] not in NOT_BUILT_IN]
    assert checked
    for manifest in checked:
        validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("path", WITH_PODS)
def test_pods_are_valid(path: str) -> None:
    for name, template in pods(path).items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name} | template["metadata"], "spec": template["spec"]}
        validate(pod, KUBERNETES, strict=True)


@pytest.mark.parametrize("path", WITH_PODS)
def test_kuberays_kinds_are_valid(path: str) -> None:
    if not CRD_CHECK.exists():
        pytest.skip("KubeRay's definitions are not there: KUBERNETES_OFFLINE names their folder")
    text = yaml.safe_dump_all(render(K8S / path))
    ended = subprocess.run([sys.executable, CRD_CHECK, "-"], input=text, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "1 KubeRay objects, 0 faults\n")


@pytest.mark.parametrize("path", WITH_PODS)
def test_every_pod_has_rays_container_first_and_the_token_from_a_secret(path: str) -> None:
    """KubeRay takes the first container for Ray's, and sets the token's variables itself."""
    assert ray_cluster(render(K8S / path))["authOptions"]["mode"] == "token"
    environment = {name for each in of_kind(render(K8S / path), "ConfigMap") for name in each["data"]}
    assert not environment & {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
    assert {template["spec"]["containers"][0]["name"] for template in pods(path).values()} == {"ray"}


def test_a_failed_job_leaves_no_cluster_behind() -> None:
    (job,) = of_kind(render(K8S / "tune"), "RayJob")
    ends = {
        tuple(rule["condition"][key] for key in ("jobStatus", "jobDeploymentStatus") if key in rule["condition"])
        for rule in job["spec"]["deletionStrategy"]["deletionRules"]
        if rule["policy"] == "DeleteCluster"
    }
    assert ends == {("SUCCEEDED",), ("FAILED",), ("Failed",)}


@pytest.mark.parametrize("name", OVERLAYS)
def test_serve_takes_its_config(name: str) -> None:
    config = serve_config_of(render(K8S / "overlays" / name))
    parsed = ServeDeploySchema.model_validate(config)
    assert config.keys() <= ServeDeploySchema.model_fields.keys()
    for raw, application in zip(config["applications"], parsed.applications, strict=True):
        assert raw.keys() <= type(application).model_fields.keys()
        for deployment in raw["deployments"]:
            assert deployment.keys() <= type(application.deployments[0]).model_fields.keys()  # Serve ignores unknown keys
            AutoscalingConfig(**deployment["autoscaling_config"])  # rejects min > max


@pytest.mark.parametrize(
    "change", ["max_ongoing_requests: 1", "user_config: {score_threshold: 0.1}", "autoscaling_config: {upscale_delay_s: 9}"]
)
def test_an_overlay_cannot_change_how_the_service_answers(change: str) -> None:
    sizes = yaml.safe_load((K8S / "overlays/ha/sizes.yaml").read_text())
    sizes["deployments"]["PersonDetector"] |= yaml.safe_load(change)
    with pytest.raises(ValueError, match=r"(?i)extra|required"):
        serve_config(Sizes.model_validate(sizes))


def test_an_overlay_that_names_no_deployment_of_ours_is_refused() -> None:
    sizes = yaml.safe_load((K8S / "overlays/ha/sizes.yaml").read_text())
    sizes["deployments"]["Detector"] = sizes["deployments"].pop("PersonDetector")
    with pytest.raises(ValueError, match="no such deployment: Detector"):
        serve_config(Sizes.model_validate(sizes))


def test_ray_in_the_manifests_is_ray_in_the_lock() -> None:
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    assert {ray_cluster(render(K8S / path))["rayVersion"] for path in WITH_PODS} == {lock["ray"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_have_what_serves_processes_read(name: str) -> None:
    rendered = render(K8S / "overlays" / name)
    (environment,) = of_kind(rendered, "ConfigMap")
    assert IN_PODS.items() <= environment["data"].items()
    for template in pods(f"overlays/{name}").values():
        assert template["spec"]["containers"][0]["envFrom"] == [{"configMapRef": {"name": environment["metadata"]["name"]}}]
    assert environment["metadata"]["name"] != "environment"  # the name has a hash, so that a change rolls out new pods


@pytest.mark.parametrize("name", CLOUD)
def test_settings_exist(name: str) -> None:
    (environment,) = of_kind(render(K8S / "overlays" / name), "ConfigMap")
    assert {key.lower() for key in environment["data"].keys() - IN_PODS.keys()} <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", OVERLAYS)
def test_one_port_from_serve_to_the_load_balancer(name: str) -> None:
    rendered = render(K8S / "overlays" / name)
    port = serve_config_of(rendered)["http_options"]["port"]
    assert port == Settings.model_fields["api_port"].default
    for template in pods(f"overlays/{name}").values():
        ports = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
        assert ports["serve"] == port
        assert ports["metrics"] == 8080
    (requests,) = [each for each in of_kind(rendered, "NetworkPolicy") if each["metadata"]["name"] == "requests"]
    assert requests["spec"]["ingress"] == [{"ports": [{"port": port}]}]
    for binding in of_kind(rendered, "TargetGroupBinding"):
        assert binding["spec"]["serviceRef"]["port"] == port


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_but_requests_and_metrics_is_open_to_more_than_the_pods_and_the_operator(name: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(render(K8S / "overlays" / name), "NetworkPolicy")}
    assert policies["nothing-from-anywhere"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    open_ports = set()
    for policy in policies.values():
        for rule in policy.get("ingress", []):
            peers = rule.get("from", [{"ipBlock": {"cidr": "0.0.0.0/0"}}])
            if any("ipBlock" in peer for peer in peers):
                open_ports |= {each["port"] for each in rule["ports"]}
            for peer in peers:
                assert peer.get("namespaceSelector", {}) != {} or "namespaceSelector" not in peer  # an empty one matches every namespace
    assert open_ports == {8000, 8080}


@pytest.mark.parametrize("path", WITH_PODS)
def test_nothing_runs_as_root_or_can_become_it(path: str) -> None:
    cluster = ray_cluster(render(K8S / path))
    containers = [
        container
        for template in pods(path).values()
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]
    ]
    for container in [*containers, *filter(None, [cluster.get("autoscalerOptions")])]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    for name, template in pods(path).items():
        security = template["spec"]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 1000)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert template["spec"]["automountServiceAccountToken"] is (name == "head")  # only the autoscaler needs it


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_has_time_to_leave(name: str) -> None:
    """Time for the load balancer to deregister it, for Ray to drain it, and for its replicas to answer requests in flight."""
    (application,) = serve_config_of(render(K8S / "overlays" / name))["applications"]
    replicas_s = max(deployment["graceful_shutdown_timeout_s"] for deployment in application["deployments"])
    for template in pods(f"overlays/{name}").values():
        leaving_s = template["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace_s = template["spec"]["terminationGracePeriodSeconds"]
        assert grace_s >= leaving_s + ray_constants.RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S + replicas_s


@pytest.mark.parametrize("path", WITH_PODS)
def test_ray_is_told_of_no_more_cores_than_a_pod_may_use(path: str) -> None:
    for group in groups(ray_cluster(render(K8S / path))):
        assert float(group["rayStartParams"]["num-cpus"]) <= in_units(
            group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
        )


@pytest.mark.parametrize("name", CLOUD)
def test_all_replicas_that_may_be_wanted_have_a_place(name: str) -> None:
    """Largest first, each on the first worker with room; a replica that is never placed blocks every later deploy."""
    rendered = render(K8S / "overlays" / name)
    (group,) = ray_cluster(rendered)["workerGroupSpecs"]
    (application,) = serve_config_of(rendered)["applications"]
    full = {"num_cpus": float(group["rayStartParams"]["num-cpus"]), "num_gpus": float(group["rayStartParams"].get("num-gpus", 0))}
    workers = [dict(full) for _ in range(group["maxReplicas"])]
    wanted = [
        {"name": deployment["name"], "limit": deployment.get("max_replicas_per_node"), **deployment["ray_actor_options"]}
        for deployment in application["deployments"]
        if "node:__internal_head__" not in deployment["ray_actor_options"].get("resources", {})
        for _ in range(deployment["autoscaling_config"]["max_replicas"])
    ]
    placed: list[set[str]] = [set() for _ in workers]
    for replica in sorted(wanted, key=lambda each: -each["num_cpus"]):
        place = next(
            (
                index
                for index, free in enumerate(workers)
                if all(free[kind] >= replica.get(kind, 0) - 1e-9 for kind in full)
                and not (replica["limit"] and replica["name"] in placed[index])
            ),
            None,
        )
        assert place is not None, replica
        placed[place].add(replica["name"])
        for kind in full:
            workers[place][kind] -= replica.get(kind, 0)


def test_lean_sleeps_with_no_worker_and_an_ingress_that_says_so() -> None:
    rendered = render(K8S / "overlays/lean")
    (group,) = ray_cluster(rendered)["workerGroupSpecs"]
    assert (group["minReplicas"], group["replicas"]) == (0, 0)
    (application,) = serve_config_of(rendered)["applications"]
    least = {each["name"]: each["autoscaling_config"]["min_replicas"] for each in application["deployments"]}
    assert least == {"Ingress": 1, "PersonDetector": 0, "GenderClassifier": 0}
    (service,) = of_kind(rendered, "RayService")
    assert not service["spec"].get("excludeHeadPodFromServeSvc")  # with no worker, the head's proxy is the only one


def test_ha_survives_any_one_pod() -> None:
    rendered = render(K8S / "overlays/ha")
    (group,) = ray_cluster(rendered)["workerGroupSpecs"]
    assert group["minReplicas"] >= 2
    assert "gcsFaultToleranceOptions" in ray_cluster(rendered)
    (application,) = serve_config_of(rendered)["applications"]
    for deployment in application["deployments"]:
        assert deployment["autoscaling_config"]["min_replicas"] >= 2
        assert deployment["max_replicas_per_node"] == 1


def test_the_models_are_the_same_everywhere() -> None:
    (base,) = serve_config()["applications"]
    (ours,) = yaml.safe_load(CONFIG.read_text())["applications"]
    assert base == ours
    for name in OVERLAYS:
        (application,) = serve_config_of(render(K8S / "overlays" / name))["applications"]
        for deployment, original in zip(application["deployments"], ours["deployments"], strict=True):
            assert deployment.get("user_config") == original.get("user_config")


@pytest.mark.parametrize("profile", [*CLOUD, "tune"])
def test_a_deployment_gets_what_terraform_made(profile: str, tmp_path: Path) -> None:
    ended = configure(profile, tmp_path, "MODEL_PREFIX=models/vit", "MANIFEST=s3://b/m.csv")
    assert ended.returncode == 0, ended.stderr
    rendered = render(tmp_path)
    images = {
        each["image"]
        for group in groups(ray_cluster(rendered))
        for each in [*group["template"]["spec"]["containers"], *group["template"]["spec"].get("initContainers", [])]
    }
    assert images == {IMAGE}
    (environment,) = of_kind(rendered, "ConfigMap")
    assert environment["data"]["AWS_REGION"] == OUTPUTS["region"]
    assert environment["data"]["MODEL_PREFIX"] == "models/vit"
    assert environment["data"]["LOG_GROUP"] == OUTPUTS["log_group"]
    assert environment["data"].get("ALLOWED_ORIGINS") == (None if profile == "tune" else OUTPUTS["public_url"])
    for template in (group["template"]["spec"] for group in groups(ray_cluster(rendered))):
        assert template["containers"][0]["envFrom"] == [{"configMapRef": {"name": environment["metadata"]["name"]}}]
    assert [each["spec"]["targetGroupARN"] for each in of_kind(rendered, "TargetGroupBinding")] in ([], [OUTPUTS["target_group_arn"]])
    assert "from-terraform" not in str(rendered)
    if profile == "ha":
        assert ray_cluster(rendered)["gcsFaultToleranceOptions"] == {
            "redisAddress": OUTPUTS["valkey_address"],
            "redisUsername": {"value": OUTPUTS["valkey_user"]},
            "redisPassword": {"valueFrom": {"secretKeyRef": {"name": "valkey", "key": "password"}}},
        }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"image": "repository:latest"}, "not REPOSITORY@sha256:DIGEST"),
        ({"outputs": {"region": "eu-west-1"}}, "lack log_group, target_group_arn, public_url, valkey_address, valkey_user"),
    ],
)
def test_a_deployment_that_cannot_be_right_is_refused(changes: dict[str, str], why: str, tmp_path: Path) -> None:
    ended = configure("ha", tmp_path, **changes)  # type: ignore[arg-type] # by name
    assert ended.returncode == 1
    assert why in ended.stderr
    assert not (tmp_path / "kustomization.yaml").exists()


def test_a_setting_without_a_name_is_refused(tmp_path: Path) -> None:
    assert "models/vit: not NAME=VALUE" in configure("lean", tmp_path, "models/vit").stderr

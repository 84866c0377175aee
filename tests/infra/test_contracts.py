"""Facts that several layers share: image, service, manifests, Terraform, CloudFront's functions, page, deploy.sh.

Each is read where it takes effect: Terraform's from a plan, the manifests' as kubectl renders them.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.constants import AUTOSCALER_UPDATE_INTERVAL_S
from ray.serve._private.haproxy import HAProxyConfig

from k8s.configure import ARCHITECTURES
from serve_app.http.page import CONTENT_SECURITY_POLICY
from serve_app.settings import Settings
from tests.infra.conftest import VARIABLES, Planned, Values
from tests.infra.manifests import (
    ALLOCATABLE,
    CLOUD,
    K8S,
    ROOT,
    WITH_PODS,
    configure,
    groups,
    in_units,
    of_kind,
    ray_cluster,
    render,
    serve_config_of,
)
from tests.infra.test_manifests import KUBERNETES
from tune_training.__main__ import load

DEPLOY = (ROOT / "deploy.sh").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IN_CLOUD = [*(f"overlays/{name}" for name in CLOUD), "tune"]
GIB_PER_CPU = {"c": 2, "m": 4, "r": 8, "g": 4}  # lowest ratio in each EC2 instance category, from the fifth generation on
KEPT = (0.1, 0.12)  # CPUs, and share of the memory, that Kubernetes and AWS' daemons reserve at least


def containers(path: str) -> Iterator[Values]:
    """The Ray container of each pod template."""
    for group in groups(ray_cluster(render(K8S / path))):
        yield group["template"]["spec"]["containers"][0]


def environment_of(path: str) -> Values:
    """The pods' environment variables."""
    (found,) = of_kind(render(K8S / path), "ConfigMap")
    values: Values = found["data"]
    return values


def node_pools(platform: Planned) -> dict[str, Values]:
    """Specs of the node pools, by name."""
    (values,) = platform.resources["helm_release.node_pools"]["values"]
    return {each["metadata"]["name"]: each["spec"] for each in yaml.safe_load(values)["objects"] if each["kind"] == "NodePool"}


def requirement(pool: Values, label: str) -> list[str]:
    (found,) = [each["values"] for each in pool["template"]["spec"]["requirements"] if each["key"] == label]
    return list(found)


def statements(policy: str) -> list[Values]:
    found: list[Values] = json.loads(policy)["Statement"]
    return found


def behaviour(aws: Planned) -> Values:
    """CloudFront's cache behaviour for the API."""
    (found,) = aws.one("aws_cloudfront_distribution")["ordered_cache_behavior"]
    result: Values = found
    return result


# --- path of a request -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLOUD)
def test_one_port_from_the_load_balancer_to_the_service(name: str, aws: Planned) -> None:
    rendered = render(K8S / "overlays" / name)
    (binding,) = of_kind(rendered, "TargetGroupBinding")
    port = aws.one("aws_lb_target_group")["port"]
    assert port == binding["spec"]["serviceRef"]["port"] == serve_config_of(rendered)["http_options"]["port"]
    assert binding["spec"]["targetType"] == aws.one("aws_lb_target_group")["target_type"]
    for rule in ("egress_rule.pods", "ingress_rule.pods"):
        opened = aws.resources[f"module.load_balancer.aws_vpc_security_group_{rule}"]
        assert (opened["from_port"], opened["to_port"]) == (port, port)
    for container in containers(f"overlays/{name}"):
        assert port in [each["containerPort"] for each in container["ports"]]
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [str(port)]


def test_one_port_from_cloudfront_to_the_load_balancer(aws: Planned) -> None:
    (origin,) = aws.one("aws_cloudfront_vpc_origin")["vpc_origin_endpoint_config"]
    listener = aws.one("aws_lb_listener")
    assert (origin["origin_protocol_policy"], listener["protocol"]) == ("http-only", "HTTP")
    opened = aws.resources["module.load_balancer.aws_vpc_security_group_ingress_rule.cloudfront"]
    assert origin["http_port"] == listener["port"] == opened["from_port"] == opened["to_port"]


def test_one_prefix_from_the_page_to_the_service(aws: Planned) -> None:
    prefix = behaviour(aws)["path_pattern"].removesuffix("/*")
    # CloudFront's function strips it, so that the service has its routes at /.
    assert f'request.uri.slice("{prefix}".length)' in aws.resources["module.edge.aws_cloudfront_function.service"]["code"]
    for name in CLOUD:
        (application,) = serve_config_of(render(K8S / "overlays" / name))["applications"]
        assert application["route_prefix"] == "/"
        assert environment_of(f"overlays/{name}")["ROOT_PATH"] == prefix
    # The page's config.json, the smoke test of the public URL and the firewall's rate limit use it.
    assert json.loads(re.findall(r"printf '(\{.*?\})\\n'", DEPLOY)[0]) == {"apiUrl": prefix}
    assert f'"$url{prefix}"' in DEPLOY
    assert f"$(output public_url){prefix}/health" in DEPLOY
    (rate,) = [rule for rule in json.loads(aws.one("aws_wafv2_web_acl")["rule_json"]) if rule["Name"] == "rate"]
    assert rate["Statement"]["RateBasedStatement"]["ScopeDownStatement"]["ByteMatchStatement"]["SearchString"] == f"{prefix}/"


def test_the_page_is_at_the_root_of_what_is_not_the_api(aws: Planned) -> None:
    distribution = aws.one("aws_cloudfront_distribution")
    assert distribution["default_root_object"] == "index.html"
    assert distribution["default_cache_behavior"][0]["target_origin_id"] == "page"
    assert not re.search(r"\bbase:", (ROOT / "ui" / "vite.config.ts").read_text())  # Vite's default is /
    # No file of the page has a path under the API's prefix.
    prefix = behaviour(aws)["path_pattern"].removesuffix("/*").removeprefix("/")
    assert prefix not in {entry.name for entry in (ROOT / "ui" / "public").iterdir()} | {"assets"}


def test_a_pod_gets_requests_while_its_proxy_can_pass_them_on(aws: Planned) -> None:
    """Its health check is not /health, which is 503 while the models are scaled to zero; the pod must stay in the target group."""
    (check,) = aws.one("aws_lb_target_group")["health_check"]
    assert check["path"] == HAProxyConfig.health_check_endpoint
    assert check["matcher"] == "200"


def test_who_waits_for_an_answer_waits_longer_than_it_may_take(aws: Planned) -> None:
    deadline = Settings.model_fields["request_deadline_s"].default + Settings.model_fields["upload_deadline_s"].default
    (origin,) = [each for each in aws.one("aws_cloudfront_distribution")["origin"] if each["origin_id"] == "service"]
    idle = aws.one("aws_lb")["idle_timeout"]
    assert origin["vpc_origin_config"][0]["origin_read_timeout"] > deadline
    assert idle > deadline
    for name in CLOUD:
        options = serve_config_of(render(K8S / "overlays" / name))["http_options"]
        assert options["keep_alive_timeout_s"] > idle  # the server must not be the side that closes an idle connection
        leaves = aws.one("aws_lb_target_group")["deregistration_delay"]
        for container in containers(f"overlays/{name}"):
            assert container["lifecycle"]["preStop"]["sleep"]["seconds"] >= int(leaves)


def test_the_edge_and_the_service_give_the_page_the_same_policy(aws: Planned) -> None:
    (headers,) = aws.resources["module.edge.aws_cloudfront_response_headers_policy.page"]["security_headers_config"]
    assert headers["content_security_policy"][0]["content_security_policy"] == CONTENT_SECURITY_POLICY


# --- permissions -----------------------------------------------------------------------------------------------------------------------


def test_auto_mode_may_put_pods_into_the_target_group(aws: Planned) -> None:
    assert aws.one("aws_lb_target_group")["tags"] == {"eks:eks-cluster-name": aws.one("aws_eks_cluster")["name"]}
    assert re.search(r'update-kubeconfig --name "\$NAME"', DEPLOY)
    assert aws.one("aws_eks_cluster")["name"] == VARIABLES["name"]


@pytest.mark.parametrize(("path", "account"), [*((f"overlays/{name}", "serve") for name in CLOUD), ("tune", "tune")])
def test_pods_run_as_the_account_that_has_the_role(path: str, account: str, aws: Planned) -> None:
    rendered = render(K8S / path)
    association = aws.resources[f"module.{account}_role.aws_eks_pod_identity_association.this"]
    assert {group["template"]["spec"]["serviceAccountName"] for group in groups(ray_cluster(rendered))} == {association["service_account"]}
    (made,) = of_kind(rendered, "ServiceAccount")
    assert (made["metadata"]["namespace"], made["metadata"]["name"]) == (association["namespace"], association["service_account"])
    assert aws.outputs[f"{account}_service_account"] == account


def test_roles_reach_the_places_that_people_are_told_to_use(aws: Planned) -> None:
    def allowed(role: str, action: str, uri: str) -> bool:
        arn = uri.replace("s3://", "arn:aws:s3:::")
        found = statements(aws.resources[f"module.{role}_role.aws_iam_role_policy.this"]["policy"])
        return any(action in each["Action"] and re.fullmatch(re.escape(each["Resource"]).replace(r"\*", ".*"), arn) for each in found)

    models, data = aws.outputs["models_bucket"], aws.outputs["data_bucket"]
    (example,) = re.findall(r"such as s3://BUCKET/(\S+) in the bucket `models_bucket`", (ROOT / "deploy-config.env.example").read_text())
    (run,) = re.findall(r"usage: ./deploy.sh tune s3://BUCKET/MANIFEST s3://BUCKET/(\S+)", DEPLOY)
    assert allowed("serve", "s3:GetObject", f"s3://{models}/{example}config.json")
    assert not allowed("serve", "s3:PutObject", f"s3://{models}/{example}config.json")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert allowed("tune", action, f"s3://{models}/{run}/state.json")
        assert allowed("tune", action, f"s3://{models}/{example}config.json")
    assert allowed("tune", "s3:GetObject", f"s3://{data}/MANIFEST")
    assert not allowed("tune", "s3:PutObject", f"s3://{data}/MANIFEST")


def test_everybody_means_the_same_namespace_and_names(aws: Planned) -> None:
    names = dict(re.findall(r"^(NAMESPACE|SERVICE)=(\S+)", DEPLOY, re.MULTILINE))
    assert aws.outputs["service_namespace"] == names["NAMESPACE"]
    for path in IN_CLOUD:
        rendered = render(K8S / path)
        assert {each["metadata"]["namespace"] for each in rendered if each["kind"] != "Namespace"} == {names["NAMESPACE"]}
        assert {each["metadata"]["name"] for each in of_kind(rendered, "RayService")} <= {names["SERVICE"]}
        # Ray's token: KubeRay reads this key of the secret.
        secret = ray_cluster(rendered)["authOptions"]["secretName"]
        assert f'create secret generic {secret} --from-file="auth_token=$BUILD/secret"' in DEPLOY
    password = ray_cluster(render(K8S / "overlays/ha"))["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"]["secretKeyRef"]
    assert f'create secret generic {password["name"]} --from-file="{password["key"]}=$BUILD/secret"' in DEPLOY
    (namespace,) = of_kind(render(K8S / "overlays/lean"), "Namespace")
    assert namespace["metadata"]["name"] == names["NAMESPACE"]


# --- machines --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", IN_CLOUD)
def test_there_is_a_machine_for_each_pod(path: str, platform: Planned) -> None:
    """Its labels match the pods' node selectors, and the pods tolerate its taints."""
    pools = node_pools(platform)
    for group in groups(ray_cluster(render(K8S / path))):
        spec = group["template"]["spec"]
        assert spec["nodeSelector"].keys() == {"karpenter.sh/nodepool"}  # a label that every node of a pool has; another is configure.py's
        pool = pools[spec["nodeSelector"]["karpenter.sh/nodepool"]]
        for taint in pool["template"]["spec"]["taints"]:
            assert any(
                each["key"] == taint["key"] and each["effect"] == taint["effect"] and each["operator"] == "Exists"
                for each in spec.get("tolerations", [])
            ), taint
        asks_for_gpu = "nvidia.com/gpu" in spec["containers"][0]["resources"]["requests"]
        assert asks_for_gpu == (requirement(pool, "eks.amazonaws.com/instance-category") == ["g"])


def test_a_gpu_is_a_whole_one_that_the_machines_driver_knows(platform: Planned) -> None:
    (pool,) = [each for each in node_pools(platform).values() if requirement(each, "eks.amazonaws.com/instance-category") == ["g"]]
    # g4dn is of an earlier generation than the pools take; a family that is not named here has not been looked at.
    assert set(requirement(pool, "eks.amazonaws.com/instance-family")) <= {"g5", "g6", "g6e"}


def test_no_zone_is_chosen_that_eks_or_a_vpc_origin_refuses(aws: Planned) -> None:
    """Their ids; by name they differ between accounts."""
    excluded = aws.configuration["data.aws_availability_zones.here"]["expressions"]["exclude_zone_ids"]["constant_value"]
    assert set(excluded) >= {"use1-az3", "usw1-az2", "cac1-az3", "apne1-az3", "apne2-az1"}
    assert all(re.fullmatch(r"[a-z]+\d-az\d", each) for each in excluded)


def test_each_pool_is_somebodys(platform: Planned) -> None:
    used = {
        group["template"]["spec"]["nodeSelector"]["karpenter.sh/nodepool"]
        for path in IN_CLOUD
        for group in groups(ray_cluster(render(K8S / path)))
    }
    assert used == set(platform.outputs["node_pools"]) == node_pools(platform).keys() == ALLOCATABLE.keys()
    (operator,) = platform.resources["helm_release.kuberay_operator"]["values"]
    assert yaml.safe_load(operator)["nodeSelector"]["karpenter.sh/nodepool"] in used


def test_what_pods_are_sized_for_is_the_smallest_machine_of_each_pool(platform: Planned) -> None:
    for name, pool in node_pools(platform).items():
        cpus = min(map(int, requirement(pool, "eks.amazonaws.com/instance-cpu")))
        gib = cpus * min(GIB_PER_CPU[category] for category in requirement(pool, "eks.amazonaws.com/instance-category"))
        assert ALLOCATABLE[name][0] <= cpus - KEPT[0]
        assert ALLOCATABLE[name][1] <= gib * (1 - KEPT[1])


@pytest.mark.parametrize("path", IN_CLOUD)
def test_all_pods_of_an_upgrade_fit_into_the_pools_limits(path: str, platform: Planned) -> None:
    """During an upgrade, the old and the new cluster run side by side."""
    cluster = ray_cluster(render(K8S / path))
    needed: dict[str, float] = {}
    for group in groups(cluster):
        pool = group["template"]["spec"]["nodeSelector"]["karpenter.sh/nodepool"]
        machine = min(map(int, requirement(node_pools(platform)[pool], "eks.amazonaws.com/instance-cpu")))
        needed[pool] = needed.get(pool, 0) + 2 * group.get("maxReplicas", 1) * machine
    for pool, cpus in needed.items():
        assert cpus <= int(node_pools(platform)[pool]["limits"]["cpu"])


def test_the_image_is_built_for_the_machines_and_its_tag_says_for_which(platform: Planned, graviton: Planned) -> None:
    """One variable: of the machines, of the build, of its tag, and of what the pods ask for."""
    assert "TF_VAR_architecture=$ARCHITECTURE" in DEPLOY
    assert 'build --platform "linux/$ARCHITECTURE"' in DEPLOY
    assert "tag=$target-$ARCHITECTURE-$(git rev-parse" in DEPLOY
    assert DEPLOY.count("configure.py") == DEPLOY.count('--architecture "$ARCHITECTURE"') == 2
    for plan, architecture in ((platform, "amd64"), (graviton, "arm64")):
        assert {tuple(requirement(pool, "kubernetes.io/arch")) for pool in node_pools(plan).values()} == {(architecture,)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("profile", [*CLOUD, "tune"])
def test_pods_ask_for_machines_that_can_run_their_image(profile: str, architecture: str, tmp_path: Path) -> None:
    """Karpenter moves no pod that it cannot place, so a change of the pools' architecture leaves the old cluster its machines."""
    ended = configure(profile, tmp_path, "MANIFEST=s3://b/m.csv", architecture=architecture)
    assert ended.returncode == 0, ended.stderr
    for group in groups(ray_cluster(render(tmp_path))):
        selector = group["template"]["spec"]["nodeSelector"]
        assert selector == {"karpenter.sh/nodepool": selector["karpenter.sh/nodepool"], "kubernetes.io/arch": architecture}


def test_the_cold_start_that_the_readme_adds_up_is_the_one_that_is_configured(aws: Planned) -> None:
    (section,) = re.findall(r"### Cold start\n(.*?)\n## ", (K8S / "README.md").read_text(), re.DOTALL)
    assert f"looks every {AUTOSCALER_UPDATE_INTERVAL_S} s" in section
    (application,) = serve_config_of(render(K8S / "overlays/lean"))["applications"]
    delays = [each["autoscaling_config"].get("upscale_delay_s", 0) for each in application["deployments"]]
    assert 1 <= max(delays) <= 2  # "a second or two"
    assert "AWAKE_TIMEOUT" in section
    assert "RUN python -m serve_app.commands.prepare_models" in DOCKERFILE  # the models are exported in the image
    # Layers come from S3, and not through the NAT gateway.
    assert aws.one("aws_vpc_endpoint")["vpc_endpoint_type"] == "Gateway"


# --- metrics ---------------------------------------------------------------------------------------------------------------------------


def test_the_gpus_exporter_is_asked_where_it_runs(aws: Planned, platform: Planned) -> None:
    exporter = platform.resources["helm_release.dcgm_exporter[0]"]
    (monitor,) = [each for each in of_kind(render(K8S / "monitoring"), "PodMonitor") if each["metadata"]["name"] == "gpus"]
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == [exporter["namespace"]]
    assert monitor["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": exporter["chart"]}  # as its helpers make it
    (scraped,) = yaml.safe_load(aws.one("aws_prometheus_scraper")["scrape_configuration"])["scrape_configs"]
    (discovered,) = scraped["kubernetes_sd_configs"]
    assert discovered["namespaces"]["names"] == [aws.outputs["service_namespace"], exporter["namespace"]]
    for group in groups(ray_cluster(render(K8S / "overlays/gpu"))):
        (metrics,) = [each for each in group["template"]["spec"]["containers"][0]["ports"] if each["name"] == "metrics"]
        assert metrics


@pytest.mark.parametrize(
    ("ray", "name", "asked"), [("yes", "", True), ("", "dcgm-exporter", True), ("", "another", False), ("", "", False)]
)
def test_managed_prometheus_asks_rays_pods_and_the_exporters(ray: str, name: str, asked: bool, aws: Planned) -> None:
    (scraped,) = yaml.safe_load(aws.one("aws_prometheus_scraper")["scrape_configuration"])["scrape_configs"]
    keep = scraped["relabel_configs"][0]
    assert keep["action"] == "keep"
    assert bool(re.fullmatch(keep["regex"], f"{ray};{name}")) is asked


# --- versions --------------------------------------------------------------------------------------------------------------------------


def test_the_image_is_named_by_what_it_contains(aws: Planned) -> None:
    assert aws.one("aws_ecr_repository")["image_tag_mutability"] == "IMMUTABLE"
    assert "IMAGE=$repository@$(cat" in DEPLOY
    assert {container["image"] for path in IN_CLOUD for container in containers(path)} == {
        "gender-presentation"
    }  # replaced by configure.py
    targets = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"\btarget=(\w+)$", DEPLOY, re.MULTILINE)) == {"cpu", "gpu"} <= targets


def test_one_ray_in_image_manifests_lock_and_here() -> None:
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    assert {ray_cluster(render(K8S / path))["rayVersion"] for path in WITH_PODS} == {lock["ray"]} == {version("ray")}
    installs = re.findall(r"^RUN python3 -m venv /opt/venv \\\n(?: && .*\n)+", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 2
    for install in installs:
        assert "pip install --requirement /tmp/requirements.lock" in install


def test_one_kubernetes_and_one_kuberay(aws: Planned, platform: Planned) -> None:
    assert aws.one("aws_eks_cluster")["version"] == KUBERNETES
    (told,) = re.findall(r"kuberay-operator --version (\S+)", (K8S / "README.md").read_text())
    operator = platform.resources["helm_release.kuberay_operator"]
    assert operator["version"] == told
    (policy,) = [each for each in of_kind(render(K8S / "overlays/lean"), "NetworkPolicy") if each["metadata"]["name"] == "operator"]
    (peer,) = policy["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": operator["namespace"]}


# --- hyperparameter search -------------------------------------------------------------------------------------------------------------


def test_the_job_runs_the_command_with_the_settings_of_its_pods(tmp_path: Path) -> None:
    """In HTTPMode Ray gives the entrypoint to a shell on the head, whose environment has these settings."""
    (job,) = of_kind(render(K8S / "tune"), "RayJob")
    assert job["spec"]["submissionMode"] == "HTTPMode"
    seen = tmp_path / "seen"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{seen}"\n')
    python.chmod(0o755)
    settings = {
        "MANIFEST": "s3://data/a b.csv",
        "RUN_DIR": "s3://models/tune/first",
        "TRIALS": "4",
        "OPTIONS": "--minutes 60 --method optuna",
    }
    subprocess.run(job["spec"]["entrypoint"], shell=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **settings}, check=True)
    module, name, *arguments = seen.read_text().splitlines()[1:]
    assert module == "tune_training"
    given: dict[str, Any] = load(name).make_context(name, arguments).params
    expected = {"manifest": settings["MANIFEST"], "run_dir": settings["RUN_DIR"], "trials": 4, "cpus_per_trial": 3.0, "minutes": 60.0}
    assert {key: given[key] for key in expected} == expected
    assert given["method"] == "optuna"


def test_a_trial_fits_on_a_worker() -> None:
    (job,) = of_kind(render(K8S / "tune"), "RayJob")
    (cpus,) = re.findall(r"CPUS_PER_TRIAL:-(\d+)", job["spec"]["entrypoint"])
    (group,) = ray_cluster(render(K8S / "tune"))["workerGroupSpecs"]
    assert int(cpus) <= int(group["rayStartParams"]["num-cpus"])
    assert int(cpus) <= in_units(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])


def test_deploy_sh_has_what_its_example_says() -> None:
    (known,) = re.findall(r"^SETTINGS=\((.*)\)$", DEPLOY, re.MULTILINE)
    example = (ROOT / "deploy-config.env.example").read_text()
    assert re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE) == known.split()

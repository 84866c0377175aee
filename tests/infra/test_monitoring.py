"""The alert rules fire when they should, and compose.yaml's Prometheus and Grafana find what is to be shown."""

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE
from ray.dashboard.modules.metrics import grafana_dashboard_factory, metrics_head

from tests.infra.manifests import K8S, ROOT, render

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
MONITORING = K8S / "monitoring"
TEST = Path(__file__).with_name("alerts.test.yaml")


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool (Prometheus) is not installed")
    return found


def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    ended = subprocess.run([promtool, "test", "rules", str(TEST)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_prometheus_takes_its_configuration(promtool: str, tmp_path: Path) -> None:
    config = (MONITORING / "compose" / "prometheus.yaml").read_text()
    (tmp_path / "prometheus.yaml").write_text(config.replace("/etc/prometheus/rules.yaml", str(MONITORING / "compose" / "rules.yaml")))
    ended = subprocess.run([promtool, "check", "config", str(tmp_path / "prometheus.yaml")], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_rule_has_a_recorded_series_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    rules = {
        rule["alert"]
        for group in yaml.safe_load((MONITORING / "compose" / "rules.yaml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    cases = [case for test in yaml.safe_load(TEST.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == rules
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == rules


def test_panels_of_the_gpus_show_what_their_exporter_counts_by_default() -> None:
    """Names of etc/default-counters.csv of dcgm-exporter 4.8.2, the chart that Terraform installs."""
    expressions = [
        target["expr"] for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"] for target in panel["targets"]
    ]
    named = {name for expression in expressions for name in re.findall(r"\bDCGM_\w+", expression)}
    assert named == {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"}


def test_grafanas_sidecar_finds_the_dashboard() -> None:
    """By the label that is the chart's default."""
    (dashboard,) = [each for each in render(MONITORING) if each["kind"] == "ConfigMap"]
    assert dashboard["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert dashboard["data"].keys() == {"dashboard.json"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ray leaves the files open that it makes them from
def test_rays_own_dashboards_are_where_the_readme_looks_and_fit_into_a_configmap() -> None:
    readme = (K8S / "README.md").read_text()
    (folder,) = re.findall(r"/tmp/ray/session_latest/(\S+?)\"", readme)
    (names,) = re.findall(r"\{([\w,]+)\}_grafana_dashboard\.json", readme)
    source = inspect.getsource(metrics_head)
    assert folder == "metrics/grafana/dashboards"
    assert all(f'"{part}"' in source for part in folder.split("/"))
    sizes = []
    for name in names.split(","):
        assert f'"{name}_grafana_dashboard.json"' in source
        text, _ = getattr(grafana_dashboard_factory, f"generate_{name}_grafana_dashboard")()
        sizes.append(len(text))
    assert sum(sizes) < 2**20


def test_monitoring_is_a_choice_and_stays_on_this_machine() -> None:
    for name in ("prometheus", "grafana"):
        each = COMPOSE["services"][name]
        assert each["profiles"] == ["monitoring"]
        assert each["network_mode"] == "service:service"  # where Ray's metrics and Prometheus listen on the loopback address
        assert "ports" not in each
        assert not each["image"].endswith(":latest")
    assert "--web.listen-address=127.0.0.1:9090" in COMPOSE["services"]["prometheus"]["command"]


def test_prometheus_and_grafana_find_what_is_mounted() -> None:
    mounts = {}
    for name in ("prometheus", "grafana"):
        for volume in COMPOSE["services"][name]["volumes"]:
            source, path, *_ = volume.split(":")
            mounts[path] = source
            assert not source.startswith(".") or (ROOT / source).is_file()
    config = yaml.safe_load((MONITORING / "compose" / "prometheus.yaml").read_text())
    (found,) = config["scrape_configs"][0]["file_sd_configs"][0]["files"]
    assert Path(found).name == PROMETHEUS_SERVICE_DISCOVERY_FILE
    ray = [volume for volume in COMPOSE["services"]["service"]["volumes"] if volume.startswith("ray:")]
    assert ray == [f"ray:{Path(found).parent}"]
    assert mounts[str(Path(found).parent)] == "ray"
    assert set(config["rule_files"]) <= mounts.keys()
    (provider,) = yaml.safe_load((MONITORING / "compose" / "dashboards.yaml").read_text())["providers"]
    assert f"{provider['options']['path']}/dashboard.json" in mounts
    assert COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in mounts
    (source,) = yaml.safe_load((MONITORING / "compose" / "datasource.yaml").read_text())["datasources"]
    (variable,) = json.loads((MONITORING / "dashboard.json").read_text())["templating"]["list"]
    assert source["type"] == variable["query"] == "prometheus"
    assert source["url"] == "http://127.0.0.1:9090"

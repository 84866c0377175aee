"""Every metric that the dashboard and the alert rules name is on the running service's metrics port."""

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

from serve_app import telemetry
from serve_app.codes import Code
from tests.support import photos
from tests.support.service import RunningService

MONITORING = Path(__file__).parents[2] / "k8s" / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text())["spec"]["groups"] for rule in group["rules"]]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [rule["expr"] for rule in RULES]
NAMED = {name for expression in EXPRESSIONS for name in re.findall(r"\bray_\w+", expression)}
OF_A_CANDIDATE = {name for name in NAMED if re.match("ray_gender_candidate_(crops|shift|seconds)_", name)}  # exported once there is one
WAIT_S = 60  # Ray exports every ten seconds


async def exported(service: RunningService) -> str:
    """What Prometheus would scrape from the only Ray node."""
    found = json.loads((service.session_dir / PROMETHEUS_SERVICE_DISCOVERY_FILE).read_text())
    async with httpx.AsyncClient() as client:
        pages = [await client.get(f"http://{target}/metrics", timeout=10) for group in found for target in group["targets"]]
    return "\n".join(page.text for page in pages)


async def test_what_is_watched_is_exported(service: RunningService, client: httpx.AsyncClient) -> None:
    assert (await client.post("/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"})).json()["code"] == "ok"
    missing = NAMED - OF_A_CANDIDATE
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            while missing:
                text = await exported(service)
                missing = {name for name in NAMED - OF_A_CANDIDATE if not re.search(rf"^{name}[{{ ]", text, re.MULTILINE)}
                await asyncio.sleep(1 if missing else 0)
    assert not missing, missing
    assert re.search(r'^ray_gender_answers_total\{.*code="ok"', text, re.MULTILINE)


def test_the_metrics_of_a_candidate_exist() -> None:
    assert OF_A_CANDIDATE
    for name in OF_A_CANDIDATE:
        assert f'"{re.sub("_(total|sum|count|bucket)$", "", name.removeprefix("ray_"))}"' in Path(telemetry.__file__).read_text()


def test_codes_in_expressions_are_the_services() -> None:
    named = {code for expression in EXPRESSIONS for value in re.findall(r'\bcode!?=~?"([^"]*)"', expression) for code in value.split("|")}
    assert named
    assert named <= {str(code) for code in Code}


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_how_bad_it_is(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("warning", "critical")

"""Without its models the service reports that it is unhealthy, and why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ray import serve
from ray.serve import Application

from serve_app.app import AppArgs, deployment, http_deployment
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.person_detector import PersonDetector
from serve_app.http.ingress import Ingress
from serve_app.settings import Settings
from tests.support import photos


def graph(settings: Settings) -> Application:
    args = AppArgs()
    # One attempt instead of up to twenty: the test is about the message, not the number of attempts.
    detector = deployment(PersonDetector).options(max_constructor_retry_count=1)
    return http_deployment(Ingress).bind(
        detector.bind(settings, **args.detector.model_dump()),
        deployment(GenderClassifier).bind(settings, **args.classifier.model_dump()),
        settings,
    )


async def test_a_missing_detector(cluster: str, deploy: Callable[..., str], tmp_path: Path) -> None:
    missing = tmp_path / "no-such-detector"
    settings: dict[str, Any] = {"detector_uri": str(missing), "request_deadline_s": 2}
    with pytest.raises(RuntimeError):
        deploy(graph(Settings(_env_file=None, **settings)), "missing")
    assert str(missing) in serve.status().applications["missing"].deployments["PersonDetector"].message
    async with httpx.AsyncClient(base_url=f"{cluster}/missing", timeout=60) as client:
        health = await client.get("/health")
        assert health.status_code == 503
        assert (health.json()["status"], health.json()["detector_loaded"]) == ("unavailable", False)
        answer = await client.post("/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"})
        assert answer.status_code in (503, 504)
        assert answer.json()["code"] in ("overloaded", "timeout")

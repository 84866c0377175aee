"""Models and thresholds are exchanged on the running service: no request is lost, no answer is mixed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ray import serve
from ray.serve import Application

from serve_app.app import AppArgs, deployment, http_deployment
from serve_app.gender_classifier import GenderClassifier
from serve_app.ingress import Ingress
from serve_app.person_detector import PersonDetector
from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.support import photos
from tests.support.checkpoints import write_tiny_classifier

Deploy = Callable[..., str]


def graph(detector: dict[str, Any], classifier: dict[str, Any]) -> Application:
    """The graph with these user_configs."""
    settings, args = Settings(_env_file=None), AppArgs()  # type: ignore[call-arg]
    return http_deployment(Ingress).bind(
        deployment(PersonDetector).options(user_config=detector).bind(settings, **args.detector.model_dump()),
        deployment(GenderClassifier).options(user_config=classifier).bind(settings, **args.classifier.model_dump()),
        settings,
    )


async def ask(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post("/predict", content=photos.astronaut(), headers={"content-type": "image/jpeg"})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


class Stream:
    """Asks without a pause, in a few lanes, until it is stopped; keeps the answers."""

    def __init__(self, client: httpx.AsyncClient, lanes: int = 4) -> None:
        self.answers: list[dict[str, Any]] = []
        self._client = client
        self._stopped = False
        self._lanes = [asyncio.ensure_future(self._ask()) for _ in range(lanes)]

    async def _ask(self) -> None:
        while not self._stopped:
            self.answers.append(await ask(self._client))

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Waits for an answer that fulfils the condition."""
        while not any(condition(answer) for answer in self.answers):
            failed = [lane for lane in self._lanes if lane.done()]
            assert not failed, failed[0].exception()
            await asyncio.wait(self._lanes, timeout=0.1)

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._lanes)


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Two classifiers that disagree, and want crops of different sizes."""
    first = write_tiny_classifier(tmp_path / "first", labels=("female", "male"))
    second = write_tiny_classifier(tmp_path / "second", labels=("male", "female"))
    (second / "decision.json").write_text('{"crop_margin": 0.2}')
    return {"first": {"model_uri": str(first)}, "second": {"model_uri": str(second)}}


async def test_a_classifier_is_exchanged_under_load(deploy: Deploy, tiny: dict[str, dict[str, Any]]) -> None:
    url = deploy(graph({}, tiny["first"]), "exchange")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_healthy(client)
        before = await ask(client)
        stream = Stream(client)
        await asyncio.to_thread(serve.run, graph({}, tiny["second"]), name="exchange", route_prefix="/exchange")
        await stream.until(lambda answer: answer["model"]["classifier"].startswith("second@"))
        await stream.stop()
        after = await ask(client)
    assert before["probabilities"] != pytest.approx(after["probabilities"], abs=1e-3)
    by_model = {before["model"]["classifier"]: before, after["model"]["classifier"]: after}
    assert {answer["model"]["classifier"] for answer in stream.answers} == by_model.keys()
    for answer in stream.answers:
        assert answer["probabilities"] == pytest.approx(by_model[answer["model"]["classifier"]]["probabilities"], abs=1e-3)


async def test_the_person_rule_changes_under_load(deploy: Deploy) -> None:
    url = deploy(graph({}, {}), "rule")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_healthy(client)
        assert (await ask(client))["code"] == "ok"
        stream = Stream(client)
        await asyncio.to_thread(serve.run, graph({"min_area": 1.0}, {}), name="rule", route_prefix="/rule")
        await stream.until(lambda answer: answer["code"] == "no_person")
        await stream.stop()
    assert {answer["code"] for answer in stream.answers} == {"ok", "no_person"}


async def test_a_model_that_cannot_be_had_leaves_the_old_one_and_is_reported(deploy: Deploy, tmp_path: Path) -> None:
    url = deploy(graph({}, {}), "broken")
    missing = str(tmp_path / "missing")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        before = await until_healthy(client)
        await asyncio.to_thread(serve.run, graph({}, {"model_uri": missing}), name="broken", route_prefix="/broken")
        while not (health := (await client.get("/health")).json())["faults"]:
            pass  # each poll is a request
        assert health["status"] == "healthy"
        assert health["models"] == before["models"]
        assert missing in health["faults"]["classifier"]
        assert (await ask(client))["code"] == "ok"

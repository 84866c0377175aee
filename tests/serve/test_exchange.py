"""Models and thresholds are replaced on the running service: no request is lost, and no answer mixes old and new."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_app.checkpoints import GOLDEN_FILE, resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.codes import MEANINGS, Code
from serve_app.settings import SERVE_CONFIG
from serve_app.vision.classifier import Classifier
from serve_app.vision.golden import golden_of
from tests.serve.conftest import until_healthy
from tests.support import photos
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.service import RunningService, UserConfigs
from tune_training.publish import deploy_command, publish

Answer = dict[str, Any]
Deploy = Callable[[UserConfigs], Any]


@pytest.fixture
async def deploy(service: RunningService, client: httpx.AsyncClient) -> AsyncIterator[Deploy]:
    """Deploys changed user_configs; restores the file's own at the end."""
    before = (await until_healthy(client))["models"]
    yield lambda changes: asyncio.to_thread(service.deploy, changes)
    await asyncio.to_thread(service.deploy, {})
    while (health := await until_healthy(client))["models"] != before or health["faults"] or (await ask(client))["code"] != "ok":
        pass
    while not await asyncio.to_thread(service.is_deployed):  # one replica may answer as before while another does not yet
        pass


async def ask(client: httpx.AsyncClient) -> Answer:
    response = await client.post("/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"})
    assert response.status_code == 200, response.text
    body: Answer = response.json()
    return body


class Stream:
    """Sends requests continuously from a few tasks until stopped; keeps the answers."""

    def __init__(self, client: httpx.AsyncClient, lanes: int = 4) -> None:
        self.answers: list[Answer] = []
        self._client = client
        self._stopped = False
        self._lanes = [asyncio.ensure_future(self._ask()) for _ in range(lanes)]

    async def _ask(self) -> None:
        while not self._stopped:
            self.answers.append(await ask(self._client))

    async def until(self, condition: Callable[[Answer], bool]) -> None:
        """Waits for an answer that meets the condition."""
        while not any(condition(answer) for answer in self.answers):
            done, _ = await asyncio.wait(self._lanes, timeout=0.1)
            for lane in done:
                lane.result()

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._lanes)


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, str]:
    """Folders of two classifiers that disagree and need different crop margins, with what they answer on PyTorch in golden.json."""
    first = write_tiny_classifier(tmp_path / "first", labels=("female", "male"))
    second = write_tiny_classifier(tmp_path / "second", labels=("male", "female"))
    (second / "decision.json").write_text('{"crop_margin": 0.2}')
    for folder in (first, second):
        (folder / GOLDEN_FILE).write_text(golden_of(Classifier.load(resolve(str(folder), folder), ON_TORCH)))
    return {"first": str(first), "second": str(second)}


async def test_a_classifier_is_exchanged_under_load(client: httpx.AsyncClient, deploy: Deploy, tiny: dict[str, str]) -> None:
    stream = Stream(client)
    for name in ("first", "second"):
        await deploy({"GenderClassifier": {"model_uri": tiny[name]}})
        await stream.until(lambda answer, name=name: answer["model"]["classifier"].startswith(f"{name}@"))  # type: ignore[misc]
    await stream.stop()
    by_model: dict[str, Answer] = {}
    for answer in stream.answers:
        known = by_model.setdefault(answer["model"]["classifier"], answer)
        assert answer["probabilities"] == pytest.approx(known["probabilities"], abs=1e-3)
    assert {name.partition("@")[0] for name in by_model} == {"gender-classifier", "first", "second"}
    assert len({answer["confidence"] for answer in by_model.values()}) == 3


async def test_a_model_that_answers_otherwise_than_it_did_is_not_taken_up(
    client: httpx.AsyncClient, deploy: Deploy, tiny: dict[str, str]
) -> None:
    golden = Path(tiny["first"], GOLDEN_FILE)
    known = json.loads(golden.read_text())
    golden.write_text(json.dumps(known | {"margins": {number: margin + 1 for number, margin in known["margins"].items()}}))
    await deploy({"GenderClassifier": {"model_uri": tiny["first"]}})
    while not (health := await until_healthy(client))["faults"]:
        pass  # each poll is a request
    assert "the self-test failed" in health["faults"]["classifier"]
    assert health["models"]["classifier"]["name"] == "gender-classifier"


async def test_the_person_rule_changes_under_load(client: httpx.AsyncClient, deploy: Deploy) -> None:
    stream = Stream(client)
    await stream.until(lambda answer: answer["code"] == "ok")
    await deploy({"PersonDetector": {"min_area": 1.0}})
    await stream.until(lambda answer: answer["code"] == "no_person")
    await stream.stop()
    assert {answer["code"] for answer in stream.answers} == {"ok", "no_person"}


async def test_the_least_confidence_changes_under_load(client: httpx.AsyncClient, deploy: Deploy) -> None:
    stream = Stream(client)
    await stream.until(lambda answer: answer["code"] == "ok")
    await deploy({"GenderClassifier": {"min_confidence": 1.0}})
    await stream.until(lambda answer: answer["code"] == "unsure")
    await stream.stop()
    by_code = {answer["code"]: answer for answer in stream.answers}
    assert by_code.keys() == {"ok", "unsure"}
    unsure = by_code["unsure"]
    assert (unsure["prediction"], unsure["confidence"], unsure["person_count"]) == (None, 0.0, 1)
    assert unsure["error"] == MEANINGS[Code.UNSURE].text
    assert unsure["probabilities"] == pytest.approx(by_code["ok"]["probabilities"], abs=1e-3)


async def test_a_model_that_cannot_be_had_leaves_the_old_one_and_is_reported(
    client: httpx.AsyncClient, deploy: Deploy, tmp_path: Path
) -> None:
    before = await until_healthy(client)
    missing = str(tmp_path / "missing")
    await deploy({"GenderClassifier": {"model_uri": missing}})
    while not (health := await until_healthy(client))["faults"]:
        pass  # each poll is a request
    assert health["models"] == before["models"]
    assert missing in health["faults"]["classifier"]
    assert (await ask(client))["code"] == "ok"


async def test_the_line_that_publishing_prints_makes_the_service_take_the_model_up(
    service: RunningService, client: httpx.AsyncClient, deploy: Deploy, tmp_path: Path
) -> None:
    judged = write_tiny_classifier(tmp_path / "judged")
    for temperature in (1.0, 3.0):
        uri = publish(write_judgement(judged, temperature), str(tmp_path / "published" / "vit"), force=True)
        await asyncio.to_thread(service.run_in_checkout, deploy_command(uri, Path(SERVE_CONFIG)))
        wanted = f"vit@{Path(uri).name.partition('-')[0]}"  # behind the revision are digits over files that do not change answers
        while (answer := await ask(client))["model"]["classifier"] != wanted:
            pass  # each poll is a request
        assert answer["code"] == "ok"


def write_judgement(folder: Path, temperature: float) -> str:
    """Writes what publishing reads of the files that `evaluate` leaves beside the weights."""
    ClassifierDecision(temperature=temperature).write(folder)
    metrics = {"revision": resolve(str(folder), folder).revision, "splits": {"test": {"balanced_accuracy": {"value": 0.5}}}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "MODEL_CARD.md").write_text("# Tiny")
    return str(folder)

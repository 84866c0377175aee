"""GET /model and /model/card: the embedded models' own files, and what other checkpoints may lack."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from httpx import AsyncClient

from serve_app.http.app import create_app
from serve_app.http.model_card import ModelCards, as_markdown
from serve_app.settings import EMBEDDED_WEIGHTS
from tests.support.http import FakeService, client_of, embedded_cards, settings

PATHS = pytest.mark.parametrize("path", ["/model", "/model/card"])


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[AsyncClient]:
    async with client_of(create_app(service, settings())) as client:
        yield client


async def test_the_classifiers_card(client: AsyncClient) -> None:
    card = (await client.get("/model")).json()["classifier"]
    assert (card["architecture"], card["labels"]) == ("ViTForImageClassification", ["female", "male"])
    assert card["decision"]["views"] == ["head", "person"]
    assert 0 < card["decision"]["min_confidence"] < 1
    assert "must not be used for decisions about people" in card["summary"]
    assert "not for products" in card["licence"]
    assert len(card["limits"]) > 3
    test = card["metrics"]["test"]
    assert test["recall"].keys() == {"female", "male"}
    assert test["balanced_accuracy"]["low"] < test["balanced_accuracy"]["value"] < test["balanced_accuracy"]["high"]
    assert {"source", "age", "race"} <= test["groups"].keys()
    assert test["groups"]["source"]["utkface"]["selection"]["coverage"]
    assert sum(each["answers"] for each in test["reliability"]) > 1000
    surest, *_, all_of_them = test["curve"]
    assert surest["threshold"] > all_of_them["threshold"]
    assert all_of_them["coverage"] == pytest.approx(test["answered"]["value"], abs=0.001)
    assert all_of_them["risk"] == pytest.approx(1 - test["accuracy"]["value"], abs=0.001)


async def test_the_detectors_card(client: AsyncClient) -> None:
    card = (await client.get("/model")).json()["detector"]
    assert card["labels"] == ["person", "head"]
    assert card["metrics"]["test"]["accuracy_by_count"].keys() == {"0", "1", "2+"}
    assert len(card["weights_sha256"]) == 64


async def test_the_text(client: AsyncClient) -> None:
    response = await client.get("/model/card")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    for name in ("gender-classifier", "person-detector"):
        assert (EMBEDDED_WEIGHTS / name / "MODEL_CARD.md").read_text() in response.text


@PATHS
@pytest.mark.parametrize("sent", ["{}", 'W/{}, "other"', "*"])
async def test_a_client_that_has_it_gets_no_body(client: AsyncClient, path: str, sent: str) -> None:
    tag = (await client.get(path)).headers["etag"]
    response = await client.get(path, headers={"if-none-match": sent.format(tag)})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)


@PATHS
async def test_a_client_that_has_another_gets_it(client: AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"if-none-match": '"other"'})).status_code == 200


@PATHS
async def test_without_models_it_is_overloaded(client: AsyncClient, service: FakeService, path: str) -> None:
    service.classifier = None
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        {},
        {"splits": {"test": {"photos": 3}}},
        {"splits": ["test"]},
        {"splits": {"test": {"by": {}, "photos": "many"}}},
        {"splits": {"test": {"by": {}, "risk_coverage": {"curve": [[1]]}}}},
    ],
)
def test_metrics_in_another_form_are_left_out(metrics: Any) -> None:
    cards = embedded_cards()
    cards["classifier"] = replace(cards["classifier"], metrics=metrics, text=None)
    body = ModelCards.of(cards).classifier
    assert (body.metrics, body.summary, body.limits) == (None, None, [])
    assert "has no model card" in as_markdown(cards)

"""The OpenAPI document is valid and complete, and its examples are the service's own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from serve_app.codes import MEANINGS, Code
from serve_app.http.answers import Answer, BatchAnswer, Body, ExplainedAnswer, Fault, Health, Liveness, StreamItem, Welcome
from serve_app.http.app import create_app
from serve_app.http.body_window import NDJSON
from serve_app.http.model_card import ModelCards
from tests.support.http import FakeService, settings

BODIES: list[type[Body]] = [Answer, BatchAnswer, ExplainedAnswer, Fault, Health, Liveness, ModelCards, Welcome]
SCHEMAS = {body.__name__: body for body in BODIES}


@pytest.fixture
def document() -> dict[str, Any]:
    return create_app(FakeService(), settings()).openapi()


def responses(document: dict[str, Any], path: str, method: str) -> Iterator[tuple[int, dict[str, Any], str, dict[str, Any]]]:
    """Status, response, name of the body's schema, and examples."""
    for status, response in document["paths"][path][method]["responses"].items():
        content = response.get("content", {}).get("application/json")
        if content is None:  # a text, or nothing
            continue
        schemas = [each["$ref"].rsplit("/", 1)[1] for each in content["schema"].get("anyOf", [content["schema"]])]
        keys = {frozenset(document["components"]["schemas"][each]["properties"]): each for each in schemas}
        for name, example in content["examples"].items():
            yield int(status), response, keys[frozenset(example["value"])], {name: example}


def test_is_valid(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(document)


def test_names_all_calls(document: dict[str, Any]) -> None:
    operations = {(path, method): call["operationId"] for path, calls in document["paths"].items() for method, call in calls.items()}
    assert operations == {
        ("/", "get"): "root",
        ("/live", "get"): "live",
        ("/health", "get"): "health",
        ("/model", "get"): "model",
        ("/model/card", "get"): "model_card",
        ("/predict", "post"): "predict",
        ("/predict-batch", "post"): "predict_batch",
    }


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/predict", "post"),
        ("/predict-batch", "post"),
        ("/health", "get"),
        ("/live", "get"),
        ("/model", "get"),
        ("/model/card", "get"),
        ("/", "get"),
    ],
)
def test_each_example_is_a_body_of_its_schema(document: dict[str, Any], path: str, method: str) -> None:
    for _, _, schema, examples in responses(document, path, method):
        assert examples
        for example in examples.values():
            body = SCHEMAS[schema].model_validate(example["value"])
            assert body.model_dump(mode="json") == example["value"]


def test_predict_documents_every_code_that_it_can_answer(document: dict[str, Any]) -> None:
    found = {}
    for status, response, schema, examples in responses(document, "/predict", "post"):
        for name, example in examples.items():
            code = Code(name.partition(",")[0])
            assert example["value"]["code"] == code
            found[code] = (status, schema.removeprefix("Explained"))
            assert ("retry-after" in response["headers"]) == MEANINGS[code].retry
        assert "x-request-id" in response["headers"]
    reachable = set(Code) - {Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED}
    assert found == {code: (MEANINGS[code].status, "Answer" if MEANINGS[code].status == 200 else "Fault") for code in reachable}


def test_the_limits_are_those_of_the_settings() -> None:
    document = create_app(FakeService(), settings(max_batch_files=3)).openapi()
    form = document["paths"]["/predict-batch"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["files"]["maxItems"] == 3


def test_both_forms_of_upload(document: dict[str, Any]) -> None:
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "image/*", "application/octet-stream"}
    assert content["multipart/form-data"]["schema"]["required"] == ["file"]


@pytest.mark.parametrize(("root_path", "servers"), [("", None), ("/api", [{"url": "/api"}]), ("/api/", [{"url": "/api"}])])
def test_behind_an_edge_the_server_is_the_public_prefix(root_path: str, servers: list[dict[str, str]] | None) -> None:
    assert create_app(FakeService(), settings(root_path=root_path)).openapi().get("servers") == servers


@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
def test_a_form_has_no_other_fields(document: dict[str, Any], path: str) -> None:
    form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["additionalProperties"] is False


@pytest.mark.parametrize("content_type", ["image/*", "application/octet-stream"])
def test_a_body_is_not_empty(document: dict[str, Any], content_type: str) -> None:
    assert document["paths"]["/predict"]["post"]["requestBody"]["content"][content_type]["schema"]["minLength"] == 1


def test_the_card_as_text_is_documented_as_such(document: dict[str, Any]) -> None:
    documented = document["paths"]["/model/card"]["get"]["responses"]
    assert {status: [*response.get("content", {})] for status, response in documented.items()} == {
        "200": ["text/markdown"],
        "304": [],
        "401": ["application/json"],
        "500": ["application/json"],
        "503": ["application/json"],
    }


def test_the_lines_of_a_stream_are_documented(document: dict[str, Any]) -> None:
    content = document["paths"]["/predict-batch"]["post"]["responses"]["200"]["content"][NDJSON]
    *items, fault = map(json.loads, content["example"].splitlines())
    assert [StreamItem.model_validate(item).index for item in items] == [1, 0]
    assert Fault.model_validate(fault).code is Code.BAD_REQUEST
    assert [each["$ref"].rsplit("/", 1)[1] for each in content["schema"]["anyOf"]] == ["StreamItem", "Fault"]
    schemas = document["components"]["schemas"]
    assert schemas["StreamItem"]["required"] == [*schemas["BatchItem"]["required"], "index"]

"""The app does what its OpenAPI document says, for requests that the document allows and for those that it forbids: Schemathesis."""

from collections.abc import Mapping
from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection

from serve_app.codes import Code
from serve_app.graph.messages import GraphOutcome
from serve_app.http.app import create_app
from serve_app.question import ORIGINAL, Question
from tests.support.http import MALE, FakeService, settings

GIF = "GIF"
LIMITS = settings()


class OnlyPhotos(FakeService):
    """Takes what begins like a GIF for a photo, and nothing else."""

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        return MALE if image.startswith(GIF.encode()) else GraphOutcome(Code.NOT_AN_IMAGE)


load_all_checks()
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(OnlyPhotos(), LIMITS))


def photo(value: str | bytes) -> str | bytes:
    """A photo of the same type: Schemathesis takes bytes in place of text for a wrong type."""
    return GIF.encode() + value if isinstance(value, bytes) else GIF + value


def with_photos(body: Any) -> Any:
    """The body with photos for its strings: the document cannot say what makes one."""
    if isinstance(body, Mapping):
        return {name: [photo(each) for each in value] if isinstance(value, list) else photo(value) for name, value in body.items()}
    return photo(body)


def is_a_batch_of_files(body: Any) -> bool:
    """Whether it is a valid batch, of whatever types: on the wire all are bytes, and what is no photo is an item's code."""
    return (
        isinstance(body, Mapping)
        and [*body] == ["files"]
        and isinstance(body["files"], list)
        and 0 < len(body["files"]) <= LIMITS.max_batch_files
    )


@schema.parametrize()
@hypothesis.settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_answer_is_as_documented(case: schemathesis.Case[Any]) -> None:
    assert case.meta
    if case.meta.generation.mode.is_positive and case.method == "POST":
        case.body = with_photos(case.body)
    case.call_and_validate(excluded_checks=[negative_data_rejection] if is_a_batch_of_files(case.body) else [])

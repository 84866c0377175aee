"""The lines of a stream in the OpenAPI document."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from serve_app.codes import Code
from serve_app.http.answers import BatchItem, Body, Fault, StreamItem

_REF = "#/components/schemas/{model}"


def lines_docs(items: Sequence[BatchItem], request_id: str) -> dict[str, Any]:
    """The content of a stream with these items, the last one first, which then breaks."""
    lines = [StreamItem(**dict(item), index=index) for index, item in enumerate(items)]
    fault = Fault.of(Code.BAD_REQUEST, request_id, "The form is cut off: its closing boundary is missing")
    return {
        "schema": {"description": "Each line", "anyOf": [_ref(StreamItem), _ref(Fault)]},
        "example": "".join(f"{line.model_dump_json()}\n" for line in [*reversed(lines), fault]),
    }


def describe_lines_in_document(app: FastAPI) -> None:
    """Adds the schema of the lines. FastAPI does not know it: a route has one schema for its answers, and these have two."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        schema = StreamItem.model_json_schema(mode="serialization", ref_template=_REF)
        del schema["$defs"]  # the document has them for other bodies
        document["components"]["schemas"][StreamItem.__name__] = schema
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _ref(body: type[Body]) -> dict[str, str]:
    return {"$ref": _REF.format(model=body.__name__)}

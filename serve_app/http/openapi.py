"""The routes in the OpenAPI document: both forms of upload, and each code with an example of its body.

FastAPI cannot derive these, because `uploads` parses the bodies.
"""

from collections.abc import Collection, Mapping, Set
from itertools import groupby
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from serve_app.codes import MEANINGS, Code
from serve_app.http.answers import (
    ALIVE,
    HEALTHY,
    UNAVAILABLE,
    Answer,
    AnsweredPerson,
    BatchAnswer,
    BatchItem,
    Body,
    ExplainedAnswer,
    Explanation,
    Fault,
    Health,
    Liveness,
    ModelInfo,
    ModelRevisions,
    Person,
    Welcome,
)
from serve_app.http.body_window import NDJSON
from serve_app.http.faults import RETRY_AFTER_S
from serve_app.http.middleware import HEADER as REQUEST_ID_HEADER
from serve_app.http.options import EXPLAIN, PEOPLE
from serve_app.http.recording import SERVER_TIMING
from serve_app.http.stream_docs import lines_docs
from serve_app.http.uploads import BATCH_FIELD, PREDICT_FIELD
from serve_app.question import People
from serve_app.settings import Settings

Kwargs = dict[str, Any]

JSON = "application/json"

_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_BODY = _FILE | {"minLength": 1}
_REQUEST_ID = "0b9c1f5e7d0a4f9c8a54d7d1f0a3e6b2"
_MODEL = ModelRevisions(detector="person-detector@5f2c1a9e", classifier="gender-classifier@8d41b07c")
_PERSON = Person(box=(0.31, 0.08, 0.72, 0.97), score=0.94)
_PEOPLE = [_PERSON, Person(box=(0.7, 0.21, 0.93, 0.9), score=0.87), Person(box=(0.02, 0.4, 0.12, 0.71), score=0.55)]


def _answered(person: Person, prediction: str | None, male: float) -> AnsweredPerson:
    code = Code.OK if prediction else Code.UNSURE
    return AnsweredPerson(
        **dict(person),
        code=code,
        prediction=prediction,
        confidence=male if prediction else 0.0,
        probabilities={"male": male, "female": round(1 - male, 3)},
        error=MEANINGS[code].text or None,
    )


_ANSWERS = {
    Code.OK: Answer(
        prediction="male",
        confidence=0.892,
        person_count=1,
        probabilities={"male": 0.892, "female": 0.108},
        error=None,
        code=Code.OK,
        people=[_PERSON],
        request_id=_REQUEST_ID,
        model=_MODEL,
    ),
    Code.NO_PERSON: Answer.refusal(Code.NO_PERSON, _REQUEST_ID, model=_MODEL),
    Code.MULTIPLE_PEOPLE: Answer.refusal(Code.MULTIPLE_PEOPLE, _REQUEST_ID, people=_PEOPLE, model=_MODEL),
    Code.UNSURE: Answer(
        prediction=None,
        confidence=0.0,
        person_count=1,
        probabilities={"male": 0.534, "female": 0.466},
        error=MEANINGS[Code.UNSURE].text,
        code=Code.UNSURE,
        people=[_PERSON],
        request_id=_REQUEST_ID,
        model=_MODEL,
    ),
}
_EACH = Answer(
    prediction=None,
    confidence=0.0,
    person_count=3,
    probabilities=None,
    error=None,
    code=Code.OK,
    people=[_answered(_PEOPLE[0], "male", 0.985), _answered(_PEOPLE[1], None, 0.534), _PEOPLE[2]],
    request_id=_REQUEST_ID,
    model=_MODEL,
)
_EXPLANATION = Explanation(label="male", base=2.111, changes=[[0.02, 1.31, 0.05], [0.11, 0.84, -0.03], [0.0, 0.04, 0.01]])
_FURTHER = {
    f"{Code.OK}, each person": _EACH,
    f"{Code.OK}, explained": ExplainedAnswer(**dict(_ANSWERS[Code.OK]), explanation=_EXPLANATION),
}
_WWW_AUTHENTICATE = {"www-authenticate": {"description": "How to send a key", "schema": {"type": "string"}}}
_TIMING = {
    SERVER_TIMING: {
        "description": "Milliseconds of each stage, of a batch added up over its photos, and of the whole request",
        "schema": {"type": "string", "examples": ["decode;dur=3.1, detect;dur=11.8, crop;dur=0.6, classify;dur=4.9, total;dur=22.4"]},
    }
}
_FAULTS_OF_A_CALL = {
    Code.BAD_REQUEST,
    Code.UNAUTHORIZED,
    Code.IMAGE_TOO_LARGE,
    Code.TOO_MANY_REQUESTS,
    Code.OVERLOADED,
    Code.TIMEOUT,
    Code.INTERNAL,
}
FAULTS_OF_ANY = {Code.UNAUTHORIZED, Code.OVERLOADED, Code.INTERNAL}
_FAULTS_OF_A_PHOTO = {Code.NOT_AN_IMAGE, Code.CORRUPT_IMAGE}


def predict_docs(settings: Settings) -> Kwargs:
    """Arguments of the /predict route."""
    return {
        "summary": "Classify one photo",
        "response_model": Answer | ExplainedAnswer,
        "responses": {
            200: {
                "description": "The answer about the photo, or the reason why there is none",
                "headers": headers() | _TIMING,
                "content": examples({code.value: answer for code, answer in _ANSWERS.items()} | _FURTHER),
            },
            **fault_responses(_FAULTS_OF_A_CALL | _FAULTS_OF_A_PHOTO),
        },
        "openapi_extra": {
            "parameters": [_people(settings), _EXPLAIN],
            "requestBody": {
                "required": True,
                "description": f"The photo, at most {settings.max_image_bytes} bytes; its bytes tell its format ({_formats(settings)})",
                "content": {
                    "multipart/form-data": {
                        "schema": _form(PREDICT_FIELD, _FILE),
                    },
                    "image/*": {"schema": _BODY},
                    "application/octet-stream": {"schema": _BODY},
                },
            },
        },
    }


def predict_batch_docs(settings: Settings) -> Kwargs:
    """Arguments of the /predict-batch route."""
    answers: list[Answer] = [_ANSWERS[Code.OK], Answer.refusal(Code.NOT_AN_IMAGE, _REQUEST_ID)]
    items = [BatchItem(**dict(answer), filename=name) for answer, name in zip(answers, ["a.jpg", "b.txt"], strict=True)]
    return {
        "summary": "Classify several photos",
        "response_model": BatchAnswer,
        "responses": {
            200: {
                "description": "An answer for each photo, in the order sent; the faults of a photo are codes of its item. "
                f"A client that accepts {NDJSON} gets a stream: a line for each photo as soon as it is answered, while later ones arrive. "
                "When the request breaks after the first line, the last line is the fault; a photo without a line has no answer",
                "headers": headers() | _TIMING,
                "content": examples({"batch": BatchAnswer(results=items)}) | {NDJSON: lines_docs(items, _REQUEST_ID)},
            },
            **fault_responses(_FAULTS_OF_A_CALL),
        },
        "openapi_extra": {
            "parameters": [_people(settings)],
            "requestBody": {
                "required": True,
                "description": f"At most {settings.max_batch_files} photos, or {settings.max_stream_files} for a stream, "
                f"of at most {settings.max_image_bytes} bytes each",
                "content": {
                    "multipart/form-data": {
                        "schema": _form(BATCH_FIELD, {"type": "array", "items": _FILE, "minItems": 1, "maxItems": settings.max_batch_files})
                    }
                },
            },
        },
    }


def root_docs(welcome: Welcome) -> Kwargs:
    """Arguments of the route of /."""
    page = {"text/html": {"schema": {"type": "string"}}}
    answered = {
        "description": "The greeting; for browsers the page, if there is one",
        "headers": headers(),
        "content": examples({"welcome": welcome}) | page,
    }
    return {
        "summary": "The page, or for programs a greeting",
        "response_model": Welcome,
        "responses": {200: answered, **fault_responses(FAULTS_OF_ANY)},
    }


def live_docs() -> Kwargs:
    """Arguments of the /live route."""
    return {
        "summary": "Whether the process is up, whatever its models do",
        "response_model": Liveness,
        "responses": {200: {"description": "It is", "headers": headers(), "content": examples({ALIVE: Liveness(status=ALIVE)})}}
        | fault_responses({Code.INTERNAL}),
    }


def health_docs(version: str) -> Kwargs:
    """Arguments of the /health route."""
    model = ModelInfo(name="person-detector", revision="5f2c1a9e")
    healthy = Health(
        status=HEALTHY,
        model_loaded=True,
        processor_loaded=True,
        detector_loaded=True,
        version=version,
        models={"detector": model, "classifier": ModelInfo(name="gender-classifier", revision="8d41b07c")},
        faults={},
    )
    unavailable = healthy.model_copy(
        update={
            "status": UNAVAILABLE,
            "model_loaded": False,
            "processor_loaded": False,
            "models": {"detector": model, "classifier": None},
        }
    )
    return {
        "summary": "Whether the models can answer",
        "response_model": Health,
        "responses": {
            200: {"description": "They can", "headers": headers(), "content": examples({"healthy": healthy})},
            503: {
                "model": Health | Fault,
                "description": f"They cannot, or not yet; or `{Code.OVERLOADED}` while the service stops",
                "headers": headers(),
                "content": examples({"unavailable": unavailable, "stopping": Fault.of(Code.OVERLOADED, _REQUEST_ID)}),
            },
            **fault_responses({Code.INTERNAL}),
        },
    }


def keep_nulls_in_examples(app: FastAPI) -> None:
    """Keeps nulls, which FastAPI drops from its document: in our examples they are part of the contract."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        for route in app.routes:
            if isinstance(route, APIRoute) and route.responses:
                (documented,) = (call["responses"] for call in document["paths"][route.path].values())
                for status, response in route.responses.items():
                    if JSON in response.get("content", {}):
                        documented[str(status)]["content"][JSON]["examples"] = response["content"][JSON]["examples"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def require_key_in_document(app: FastAPI, paths: Collection[str], header: str) -> None:
    """Says in the document that calls of `paths` need a key, in either of two headers."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "apiKey": {"type": "apiKey", "in": "header", "name": header},
        }
        for path in paths:
            for call in document["paths"][path].values():
                call["security"] = [{"bearer": []}, {"apiKey": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


_EXPLAIN = {
    "name": EXPLAIN,
    "in": "query",
    "description": "Whether to find out what the answer hangs on: fifty times the classifier's work, and so counted as several photos",
    "schema": {"type": "string", "enum": ["false", "true"], "default": "false"},
}


def _people(settings: Settings) -> Kwargs:
    return {
        "name": PEOPLE,
        "in": "query",
        "description": (
            f'"{People.EACH}": each of the {settings.max_people} largest people gets an answer of their own, in `people`; the code is '
            f'"{Code.OK}" when at least one of them has a prediction. "{People.ONE}": a photo of several people is refused'
        ),
        "schema": {"type": "string", "enum": list(People), "default": People.ONE},
    }


def _form(field: str, schema: Kwargs) -> Kwargs:
    return {"type": "object", "required": [field], "properties": {field: schema}, "additionalProperties": False}


def fault_responses(codes: Set[Code]) -> dict[int | str, Kwargs]:
    """The responses with these codes, by status."""
    in_order = [code for code in Code if code in codes]  # a set's order changes from run to run
    by_status = groupby(sorted(in_order, key=_status), key=_status)
    return {status: _fault_response(list(group)) for status, group in by_status}


def _fault_response(codes: list[Code]) -> Kwargs:
    return {
        "model": Fault,
        "description": "; ".join(f"`{code}`: {MEANINGS[code].text}" for code in codes),
        "headers": headers(retry=any(MEANINGS[code].retry for code in codes)) | (_WWW_AUTHENTICATE if Code.UNAUTHORIZED in codes else {}),
        "content": examples({code.value: Fault.of(code, _REQUEST_ID) for code in codes}),
    }


def examples(bodies: Mapping[str, Body]) -> Kwargs:
    """The content of a response, with bodies by name."""
    return {JSON: {"examples": {name: {"value": body.model_dump(mode="json")} for name, body in bodies.items()}}}


def headers(retry: bool = False) -> Kwargs:
    """The headers of a response."""
    ours: Kwargs = {REQUEST_ID_HEADER: {"description": "The request's id, which the log has, too", "schema": {"type": "string"}}}
    if retry:
        ours["retry-after"] = {"description": "Seconds", "schema": {"type": "integer", "examples": [RETRY_AFTER_S]}}
    return ours


def _formats(settings: Settings) -> str:
    return ", ".join(settings.image_formats)


def _status(code: Code) -> int:
    return MEANINGS[code].status

"""The routes of /model in the OpenAPI document."""

from starlette.responses import Response

from serve_app.http.model_card import (
    MARKDOWN,
    ClassifierCard,
    ClassifierScores,
    ClassifierSplit,
    CountScores,
    CurvePoint,
    DetectorCard,
    Interval,
    ModelCards,
    ReliabilityBin,
    Selection,
)
from serve_app.http.openapi import FAULTS_OF_ANY, JSON, Kwargs, examples, fault_responses, headers


class _Markdown(Response):
    media_type = MARKDOWN


_ETAG = {"etag": {"description": "Send it as If-None-Match, and an answer that has not changed has no body", "schema": {"type": "string"}}}
_NOT_CHANGED = {304: {"description": "The client has it: its If-None-Match names the ETag", "headers": headers() | _ETAG}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of answers that the client has",
    "schema": {"type": "string"},
}
_SCORES = ClassifierScores(
    photos=480,
    answered=Interval(value=0.998, low=0.988, high=1.0),
    accuracy=Interval(value=0.981, low=0.965, high=0.99),
    balanced_accuracy=Interval(value=0.981, low=0.967, high=0.992),
    recall={"female": Interval(value=0.985, low=0.962, high=0.994), "male": Interval(value=0.977, low=0.947, high=0.99)},
    ece=Interval(value=0.017, low=0.011, high=0.03),
    selection=Selection(coverage=Interval(value=0.875, low=0.842, high=0.902), risk=Interval(value=0.005, low=0.001, high=0.017)),
)
_EXAMPLE = ModelCards(
    detector=DetectorCard(
        name="person-detector",
        revision="97e44d219994",
        architecture="Deimv2ForObjectDetection",
        labels=["person", "head"],
        weights_sha256="2416d13b8fd4f66e2b0d9b2bef2bceafc23875ca84e48b0968bdeef3e9c84fbb",
        licence="research only",
        summary="Finds people and their heads in photos.",
        limits=["It is small and fast, not strong."],
        facts={"input": "RGB, resized to 320 x 320 pixels", "licence of the data": "research only"},
        decision={"score_threshold": 0.3, "min_area": 0.05},
        metrics={"test": CountScores(photos=442, accuracy=0.819, accuracy_by_count={"0": 0.86, "1": 0.815, "2+": 0.73})},
    ),
    classifier=ClassifierCard(
        name="gender-classifier",
        revision="6a63975c2644",
        architecture="ViTForImageClassification",
        labels=["female", "male"],
        weights_sha256="c13acce7ba545f91e364f189be24d3734fc38eb9b31fd7b62490ef3cc37d8f06",
        licence="research only",
        summary="Guesses a gender presentation. It must not be used for decisions about people.",
        limits=["Women are taken for men more often than the other way round wherever hair is short."],
        facts={"licence of the data": "research only"},
        decision={"views": ["head", "person"], "temperature": 0.854, "min_confidence": 0.962},
        metrics={
            "test": ClassifierSplit(
                **dict(_SCORES),
                groups={"source": {"celeba10k": _SCORES}},
                reliability=[ReliabilityBin(low=0.5333, high=0.6, answers=116, confidence=0.568, accuracy=0.595)],
                curve=[CurvePoint(threshold=0.962, coverage=0.875, risk=0.005), CurvePoint(threshold=0.502, coverage=0.998, risk=0.019)],
            )
        },
    ),
)


def model_docs() -> Kwargs:
    """Arguments of the /model route."""
    return {
        "summary": "The models' cards as data: what they are, how good, for whom, and what they must not be used for",
        "response_model": ModelCards,
        "responses": {
            200: {
                "description": "The cards of both models; for browsers that open the address the page, if there is one",
                "headers": headers() | _ETAG,
                "content": examples({"cards": _EXAMPLE}) | {"text/html": {"schema": {"type": "string"}}},
            },
            **_NOT_CHANGED,
            **fault_responses(FAULTS_OF_ANY),
        },
        "openapi_extra": {"parameters": [_IF_NONE_MATCH]},
    }


def model_card_docs() -> Kwargs:
    """Arguments of the /model/card route."""
    text = {MARKDOWN: {"schema": {"type": "string"}, "example": "# Gender presentation classifier\n"}}
    return {
        "summary": "The models' cards as text",
        "response_class": _Markdown,
        "responses": {
            200: {"description": "The card of the classifier, then the detector's", "headers": headers() | _ETAG, "content": text},
            **_NOT_CHANGED,
            **{status: _in_json(response) for status, response in fault_responses(FAULTS_OF_ANY).items()},
        },
        "openapi_extra": {"parameters": [_IF_NONE_MATCH]},
    }


def _in_json(fault: Kwargs) -> Kwargs:
    """A fault's response for a route whose answers are no JSON: FastAPI would document the fault as what they are."""
    schema = {"$ref": f"#/components/schemas/{fault['model'].__name__}"}
    content = {JSON: {**fault["content"][JSON], "schema": schema}}
    return {**{key: value for key, value in fault.items() if key != "model"}, "content": content}

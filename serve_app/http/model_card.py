"""The bodies of /model: the cards of both models as data, and as text."""

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from serve_app.http.answers import Body

if TYPE_CHECKING:
    from serve_app.checkpoints.card import Card
    from serve_app.graph.messages import Cards

logger = logging.getLogger(__name__)

MARKDOWN = "text/markdown"
_RULE = "\n---\n\n"  # between two cards

Share = Annotated[float, Field(ge=0, le=1)]


class _Metrics(Body):
    """Base of what is taken from `metrics.json`, which has more than that."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(_Metrics):
    """A share, with the ends of its 95 % confidence interval."""

    value: Share
    low: Share
    high: Share


class ReliabilityBin(_Metrics):
    """The answers whose confidence is in a range, and how many of them are right."""

    low: Share
    high: Share
    answers: int = Field(ge=0)
    confidence: Share = Field(description="The mean of theirs")
    accuracy: Share = Field(description="Share that is right: it should equal the confidence")


class Selection(_Metrics):
    """What became of photos with `min_confidence`: an answer with a lower confidence is `unsure`."""

    coverage: Interval = Field(description="Share of the photos that get an answer")
    risk: Interval | None = Field(None, description="Share of these answers that is wrong")


class CurvePoint(_Metrics):
    """What a threshold on the confidence makes of the photos."""

    threshold: Share
    coverage: Share = Field(description="Share of the photos that get an answer with this confidence or a higher one")
    risk: Share = Field(description="Share of these answers that is wrong")


class ClassifierScores(_Metrics):
    """How good the answers about some photos are; null where a metric is not defined for them."""

    photos: int = Field(ge=0)
    answered: Interval = Field(description="Share in which exactly one person was counted")
    accuracy: Interval | None = None
    balanced_accuracy: Interval | None = None
    recall: dict[str, Interval] | None = Field(None, description="By label")
    ece: Interval | None = Field(None, description="Expected calibration error")
    selection: Selection | None = None


class ClassifierSplit(ClassifierScores):
    """The scores of a split, of each of its groups, and how well its probabilities are calibrated."""

    groups: dict[str, dict[str, ClassifierScores]] = Field(description="By column, such as source, age or race, and by group")
    reliability: list[ReliabilityBin] | None = None
    curve: list[CurvePoint] | None = Field(None, description="Risk and coverage, from the highest threshold to the lowest")


class CountScores(_Metrics):
    """How many photos have their people counted rightly."""

    photos: int = Field(ge=0)
    accuracy: Share
    accuracy_by_count: dict[str, Share]
    accuracy_by_source: dict[str, Share] = Field(default_factory=dict)


class ModelCard(Body):
    """What is known of a model in use."""

    name: str
    revision: str
    architecture: str | None = Field(description="Its class in transformers")
    labels: list[str] = Field(description="In the order of its outputs")
    weights_sha256: str
    licence: str | None
    summary: str | None = Field(description="What it is for, and what it must not be used for")
    limits: list[str] = Field(description="What it does badly, or was not examined for")
    facts: dict[str, str] = Field(description="What it was made of, from its model card")
    decision: dict[str, JsonValue] = Field(description="Thresholds, views and temperature, as they apply now")

    @classmethod
    def of(cls, card: "Card") -> Self:
        """The card of a model, with those metrics that are in the form of ours."""
        known = {
            "name": card.name,
            "revision": card.revision,
            "architecture": card.architecture,
            "labels": list(card.labels),
            "weights_sha256": card.weights_sha256,
            "licence": card.licence,
            "summary": card.summary,
            "limits": card.limits,
            "facts": card.facts,
            "decision": card.decision,
        }
        try:
            return cls.model_validate(known | {"metrics": cls._splits(card.metrics or {}) or None})
        except (ValueError, AttributeError, KeyError, TypeError):  # pydantic's errors are ValueErrors
            logger.warning("the metrics.json of %s@%s is not in the form of ours, and left out", card.name, card.revision)
            return cls.model_validate(known | {"metrics": None})

    @classmethod
    def _splits(cls, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """The metrics of each split."""
        raise NotImplementedError


class DetectorCard(ModelCard):
    """The person detector."""

    metrics: dict[str, CountScores] | None = Field(description="By split; null when unknown")

    @classmethod
    def _splits(cls, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        splits: Mapping[str, Any] = metrics.get("person_count", {})
        return splits


class ClassifierCard(ModelCard):
    """The gender classifier."""

    metrics: dict[str, ClassifierSplit] | None = Field(description="By split, measured behind the detector; null when unknown")

    @classmethod
    def _splits(cls, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            name: {
                **split,
                "selection": split.get("risk_coverage"),
                "groups": {column: compared["groups"] for column, compared in split["by"].items()},
                "reliability": split.get("calibration", {}).get("after", {}).get("reliability"),
                "curve": [
                    {"threshold": threshold, "coverage": coverage, "risk": risk}
                    for threshold, coverage, risk in (split.get("risk_coverage") or {}).get("curve", ())
                ]
                or None,
            }
            for name, split in metrics.get("splits", {}).items()
        }


class ModelCards(Body):
    """The cards of both models."""

    detector: DetectorCard
    classifier: ClassifierCard

    @classmethod
    def of(cls, cards: "Cards") -> Self:
        """The cards as data."""
        return cls(detector=DetectorCard.of(cards["detector"]), classifier=ClassifierCard.of(cards["classifier"]))


def as_markdown(cards: "Cards") -> str:
    """The cards as text, one below the other."""
    return _RULE.join(
        card.text or f"# {card.name}@{card.revision}\n\nThis checkpoint has no model card.\n"
        for card in (cards["classifier"], cards["detector"])
    )


def unless_known(request: Request, content: str, media_type: str) -> Response:
    """An answer with an ETag; without its body when the client has it already (If-None-Match)."""
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)

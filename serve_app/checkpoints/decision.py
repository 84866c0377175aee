"""`decision.json`: how to turn a checkpoint's outputs into decisions, published beside its weights.

These numbers were measured for that checkpoint, so they are published with it. Without the file, the defaults below apply: those of the
original system.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

DECISION_FILE = "decision.json"

View = Literal["head", "person"]


class DecisionError(ValueError):
    """`decision.json`, or an override of it, is not valid."""


class Decision(BaseModel):
    """Base of the two decisions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, folder: Path, overrides: Mapping[str, Any] | None = None) -> Self:
        """Reads `folder/decision.json` (or takes the defaults) and applies the overrides that are not None.

        Raises:
            DecisionError: the file is not a JSON object, or a key or a value is not allowed.
        """
        path = folder / DECISION_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            return cls(**(values | {key: value for key, value in (overrides or {}).items() if value is not None}))
        except (TypeError, ValueError) as error:
            raise DecisionError(f"{path} with the overrides {dict(overrides or {})} is not valid: {_reason(error)}") from error

    def to_json(self) -> str:
        """The content of `decision.json`."""
        return self.model_dump_json(indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """Writes `folder/decision.json`."""
        (folder / DECISION_FILE).write_text(self.to_json(), encoding="utf-8")


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())


FAINT = 0.05  # score: fainter boxes are not looked at


class DetectorDecision(Decision):
    """The person rule: when a detected box counts as a person.

    Attributes:
        score_threshold: the score must be above this.
        head_threshold: a head's score must be above this for the head to count.
        cropped_head_threshold: the same for the head of a person who counts to be shown to the classifier: a faint one says little about
            how many people there are, but where to look. None: no other than to count.
        headed_score_threshold: the same as `score_threshold`, for a person with a head; None: no other than for people without.
        close_up_threshold: the same for somebody who is nearly all head: people close up are easy to find, and so are animals to take for
            them.
        portrait_height: where the largest head takes up more than this share of the photo's height, the photo is a portrait, and people
            with much smaller heads, or heads cut off at the side, are in its background.
        min_area: the box's share of the photo's area must be above this.
        min_height: the box's share of the photo's height must be above this.
        max_overlap: of two boxes with a larger intersection over union, the one with the lower score is a duplicate.
        input_size: side of the square that the photo is resized to, pixels; None: the size in `preprocessor_config.json`.
    """

    score_threshold: float = Field(0.7, ge=0, le=1)
    head_threshold: float = Field(0.5, ge=0, le=1)
    cropped_head_threshold: float | None = Field(None, ge=0, le=1)
    headed_score_threshold: float | None = Field(None, ge=0, le=1)
    close_up_threshold: float = Field(0.0, ge=0, le=1)
    portrait_height: float = Field(1.0, ge=0, le=1)
    min_area: float = Field(0.05, ge=0, le=1)
    min_height: float = Field(0.20, ge=0, le=1)
    max_overlap: float = Field(0.7, gt=0, le=1)
    input_size: int | None = Field(None, ge=32, le=2048)

    @property
    def least_score(self) -> float:
        """The score that a person with a head must be above."""
        return self.score_threshold if self.headed_score_threshold is None else self.headed_score_threshold

    @property
    def body_floor(self) -> float:
        """Where heads are known, people with a score above this are looked at: a faint body counts as none, but tells whose a head is."""
        return min(self.score_threshold, self.least_score, FAINT)

    @property
    def head_floor(self) -> float:
        """Heads with a score above this are looked at: a faint one tells that somebody is nearly all head, though it counts as none."""
        return min(self.least_cropped_head, FAINT) if self.close_up_threshold else self.least_cropped_head

    @property
    def least_cropped_head(self) -> float:
        """The score that a head must be above to be cropped."""
        return self.head_threshold if self.cropped_head_threshold is None else min(self.head_threshold, self.cropped_head_threshold)


class ClassifierDecision(Decision):
    """How a person is cropped for the classifier, how its logits become probabilities, and when those are enough for an answer.

    Attributes:
        views: what it was trained on: the person alone, or the head above the person, each in a square of its own (see `cropping`).
        head_margin: how far the view of the head reaches beyond its box on each side, as a share of the box's longer side.
        crop_margin: how far the crop reaches beyond the box on each side, as a share of the box's shorter side; of its longer side where
            there are two views.
        crop_aspect: the crop is at most this many times as tall as it is wide, measured from the top: head and shoulders.
        temperature: divides the logits (Guo et al. 2017, On Calibration of Modern Neural Networks).
        min_confidence: an answer with a lower confidence is `unsure`; 0 turns this off, as in the original.
        input_size: side of the square crop, pixels; None: the size in `preprocessor_config.json`.
    """

    views: tuple[View, ...] = ("person",)
    head_margin: float = Field(0.0, ge=0, le=1)
    crop_margin: float = Field(0.0, ge=0, le=1)
    crop_aspect: float = Field(10.0, gt=0)
    temperature: float = Field(1.0, gt=0)
    min_confidence: float = Field(0.0, ge=0, le=1)
    input_size: int | None = Field(None, ge=16, le=1024)

    @field_validator("views")
    @classmethod
    def _known_views(cls, views: tuple[View, ...]) -> tuple[View, ...]:
        if views not in (("person",), ("head", "person")):
            raise ValueError('either ["person"] or ["head", "person"]')
        return views

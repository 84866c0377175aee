"""The values that travel between the deployments, and what the graph answers: immutable and small, no exceptions, no full-size photos."""

from dataclasses import dataclass, field
from typing import Literal

from serve_app.checkpoints.card import Card
from serve_app.codes import Code
from serve_app.vision.cropping import CropSpec
from serve_app.vision.explaining import Explanation, Grid
from serve_app.vision.images import RGB
from serve_app.vision.outcome import Outcome
from serve_app.vision.people import DetectedPerson

Stages = dict[str, float]  # seconds by stage


@dataclass(frozen=True)
class ModelDescription:
    """A replica's model.

    Attributes:
        crop_spec: the crops that the classifier was trained on; None for the detector.
        fault: why the configured model could not be loaded and this one is still in use.
        working_s: for how many seconds the replica's oldest work in progress has run: long, where a thread hangs.
    """

    name: str
    revision: str
    crop_spec: CropSpec | None = None
    fault: str | None = None
    working_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"


@dataclass(frozen=True)
class Detection:
    """The detector's answer for one photo.

    Attributes:
        code: OK for exactly one person, or for several if each is asked for; otherwise the refusal.
        people: the people that pass the person rule; if each is asked for, the largest first.
        crops: the first people, cropped for the classifier: `CropSpec.shape`, uint8; only with OK.
        model: `name@revision`.
        classifications: of the crops, and instead of them, where both models are in one process.
        grid: with it the crops after the first are of the same person, each with another part hidden (see `explaining`).
    """

    code: Code
    people: list[DetectedPerson]
    crops: list[RGB]
    model: str
    stages: Stages = field(default_factory=dict)
    classifications: "list[Classification]" = field(default_factory=list)
    grid: Grid | None = None


@dataclass(frozen=True)
class Classification:
    """The classifier's answer for one crop: OK or UNSURE, and the calibrated probabilities by label.

    Attributes:
        brightness: of the crop, see `cropping.brightness_of`.
        by_candidate: a candidate answered instead of the classifier in use.
    """

    code: Code
    probabilities: dict[str, float]
    model: str
    stages: Stages = field(default_factory=dict)
    brightness: float | None = None
    by_candidate: bool = False


@dataclass(frozen=True)
class OtherCropWanted:
    """The classifier was exchanged for one with another crop: detect again with this spec."""

    crop_spec: CropSpec


@dataclass(frozen=True)
class GraphOutcome(Outcome):
    """The graph's answer for one photo, with its models as `name@revision`; None when no model saw the photo."""

    detector: str | None = None
    classifier: str | None = None
    stages: Stages = field(default_factory=dict, compare=False)
    explanation: Explanation | None = field(default=None, kw_only=True)


Role = Literal["detector", "classifier"]
Descriptions = dict[Role, ModelDescription | None]
"""The model of each role; None when it is not loaded or does not answer."""

Cards = dict[Role, Card]
"""What the files of each model say about it."""

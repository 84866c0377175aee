"""What travels between the deployments: small immutable values, no exceptions and no full-size photos."""

from dataclasses import dataclass, field

from serve_app.codes import Code
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson

Stages = dict[str, float]  # seconds by stage


@dataclass(frozen=True)
class ModelDescription:
    """A replica's model, and why the one last asked for is not in use.

    Attributes:
        crop_spec: how the classifier wants its crops; None for the detector.
    """

    name: str
    revision: str
    crop_spec: CropSpec | None = None
    fault: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"


@dataclass(frozen=True)
class Detection:
    """What the detector says of a photo.

    Attributes:
        code: OK for exactly one person; otherwise the refusal.
        people: those that pass the person rule.
        crop: the person as the classifier wants it, (size, size, 3) uint8; only with OK.
        model: `name@revision`.
    """

    code: Code
    people: list[DetectedPerson]
    crop: RGB | None
    model: str
    stages: Stages = field(default_factory=dict)


@dataclass(frozen=True)
class Classification:
    """Calibrated probabilities by label."""

    probabilities: dict[str, float]
    model: str
    stages: Stages = field(default_factory=dict)


@dataclass(frozen=True)
class OtherCropWanted:
    """The classifier was exchanged for one that wants other crops: detect again with this spec."""

    crop_spec: CropSpec

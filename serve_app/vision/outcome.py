"""The outcome for one photo, the same from the pipeline and from the graph. It imports no model."""

from dataclasses import dataclass, field

from serve_app.codes import Code
from serve_app.vision.people import DetectedPerson


@dataclass(frozen=True)
class Outcome:
    """What is said of a photo.

    Attributes:
        people: those that count.
        probabilities: with OK or UNSURE and one person: calibrated, by label.
        each: where every person was asked for: the outcomes of the first of `people`, each of one person.
    """

    code: Code
    people: list[DetectedPerson] = field(default_factory=list)
    probabilities: dict[str, float] | None = None
    each: "list[Outcome]" = field(default_factory=list, kw_only=True)

    @property
    def prediction(self) -> str | None:
        """The more probable label, only with OK and one person."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.code is Code.OK and self.probabilities else None

    @property
    def confidence(self) -> float:
        """The prediction's probability; 0.0 without a prediction."""
        return self.probabilities[self.prediction] if self.probabilities and self.prediction else 0.0

"""The outcome for one photo, the same from the pipeline and from the graph. It imports no model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

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
    each: "Sequence[Outcome]" = field(default_factory=list, kw_only=True)

    @classmethod
    def of_people(cls, people: list[DetectedPerson], answers: Sequence[Self], *, each: bool) -> Self:
        """The outcome of a photo from those of its people; of several, it is OK when one of them is.

        Args:
            people: all that count; the first ones are answered.
            each: whether every person was asked for.
        """
        kept = list(answers) if each else []
        if len(people) == 1:
            return cls(answers[0].code, people, answers[0].probabilities, each=kept)
        return cls(Code.OK if any(answer.code is Code.OK for answer in answers) else Code.UNSURE, people, each=kept)

    @property
    def prediction(self) -> str | None:
        """The more probable label, only with OK and one person."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.code is Code.OK and self.probabilities else None

    @property
    def confidence(self) -> float:
        """The prediction's probability; 0.0 without a prediction."""
        return self.probabilities[self.prediction] if self.probabilities and self.prediction else 0.0

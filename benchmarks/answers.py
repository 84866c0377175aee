"""What is compared between the bare loop and a server: the decision, and the probabilities where there are any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serve_app.codes import Code

if TYPE_CHECKING:
    from serve_app.vision.pipeline import Outcome  # the client, which starts beside a loaded server, is to do without torch

TOLERANCE = 5e-3  # of probabilities


@dataclass(frozen=True)
class GivenAnswer:
    """An answer about one photo; `probabilities` by label, only with `ok`."""

    code: str
    probabilities: Mapping[str, float] | None = None

    @classmethod
    def of_outcome(cls, outcome: "Outcome") -> "GivenAnswer":
        """What the bare loop or the pipeline gave."""
        return cls(str(outcome.code), outcome.probabilities)

    @classmethod
    def of_body(cls, status: int, body: Mapping[str, Any]) -> "GivenAnswer":
        """What came over HTTP; servers of the original's contract say no code."""
        return cls(code_of(status, body), body.get("probabilities"))

    def agrees_with(self, other: "GivenAnswer") -> bool:
        """The same decision, and the same probabilities within the tolerance."""
        ours, theirs = self.probabilities or {}, other.probabilities or {}
        return (
            self.code == other.code
            and ours.keys() == theirs.keys()
            and all(abs(probability - theirs[label]) <= TOLERANCE for label, probability in ours.items())
        )


def code_of(status: int, body: Mapping[str, Any]) -> str:
    """The answer's code, or what it would be: from the original's fields, or the status."""
    if "code" in body:
        return str(body["code"])
    if status != 200:
        return f"HTTP {status}"
    if body.get("prediction") is not None:
        return Code.OK
    return Code.MULTIPLE_PEOPLE if body.get("person_count", 0) > 1 else Code.NO_PERSON


def disagreements(given: Sequence[GivenAnswer], expected: Sequence[GivenAnswer]) -> list[int]:
    """Indices of the photos that were answered differently."""
    return [index for index, (ours, theirs) in enumerate(zip(given, expected, strict=True)) if not ours.agrees_with(theirs)]

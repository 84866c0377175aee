"""Compares the answers of the bare loop and of a server: the code and, if any, the probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serve_app.codes import Code

if TYPE_CHECKING:
    from serve_app.vision.pipeline import Outcome  # keeps torch out of the client, which runs beside a loaded server

TOLERANCE = 5e-3  # of probabilities


@dataclass(frozen=True)
class GivenAnswer:
    """An answer about one photo; `probabilities` by label, only with `ok` and `unsure`."""

    code: str
    probabilities: Mapping[str, float] | None = None

    @classmethod
    def of_outcome(cls, outcome: "Outcome") -> "GivenAnswer":
        """The answer of the bare loop or the pipeline."""
        return cls(str(outcome.code), outcome.probabilities)

    @classmethod
    def of_body(cls, status: int, body: Mapping[str, Any]) -> "GivenAnswer":
        """The answer of a server; one with the original's contract sends no code."""
        return cls(code_of(status, body), body.get("probabilities"))

    def agrees_with(self, other: "GivenAnswer") -> bool:
        """Whether the codes are equal, and the probabilities within the tolerance."""
        ours, theirs = self.probabilities or {}, other.probabilities or {}
        return (
            self.code == other.code
            and ours.keys() == theirs.keys()
            and all(abs(probability - theirs[label]) <= TOLERANCE for label, probability in ours.items())
        )


def code_of(status: int, body: Mapping[str, Any]) -> str:
    """The answer's code, or the equivalent of the original's fields or of the status."""
    if "code" in body:
        return str(body["code"])
    if status != 200:
        return f"HTTP {status}"
    if body.get("prediction") is not None:
        return Code.OK
    return {0: Code.NO_PERSON, 1: Code.UNSURE}.get(body.get("person_count", 0), Code.MULTIPLE_PEOPLE)


def disagreements(given: Sequence[GivenAnswer], expected: Sequence[GivenAnswer]) -> list[int]:
    """Indices of the photos that were answered differently."""
    return [index for index, (ours, theirs) in enumerate(zip(given, expected, strict=True)) if not ours.agrees_with(theirs)]

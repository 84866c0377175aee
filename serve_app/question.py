"""What is asked about a photo, besides the photo."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


class People(StrEnum):
    """Whom an answer is about: a photo's only person, or each of several, up to MAX_PEOPLE."""

    ONE = "one"
    EACH = "each"


NO_CANDIDATE = 1.0
"""The lot of which no candidate answers."""


@dataclass(frozen=True)
class Question:
    """The whole question; by default the original's.

    Attributes:
        most_people: classify each of up to so many people, the largest; 0: refuse several.
        explain: find out what the answer about one person hangs on.
        lot: of the request, see `lot_of`: it decides whether a candidate answers, and is no part of what is asked.
    """

    most_people: int = 0
    explain: bool = False
    lot: float = field(default=NO_CANDIDATE, compare=False)

    @property
    def is_short(self) -> bool:
        """Whether one classification, at most, answers it."""
        return not self.explain and not self.most_people


ORIGINAL = Question()


def lot_of(request_id: str) -> float:
    """A number of 0 to 1 that is always the same for a request, and spread evenly over requests."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:6]) / 2**48

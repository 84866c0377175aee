"""What is asked about a photo, besides the photo."""

from dataclasses import dataclass
from enum import StrEnum


class People(StrEnum):
    """Whom an answer is about: a photo's only person, or each of several, up to MAX_PEOPLE."""

    ONE = "one"
    EACH = "each"


@dataclass(frozen=True)
class Question:
    """The whole question; by default the original's.

    Attributes:
        most_people: classify each of up to so many people, the largest; 0: refuse several.
        explain: find out what the answer about one person hangs on.
    """

    most_people: int = 0
    explain: bool = False


ORIGINAL = Question()

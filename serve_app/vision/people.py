"""The person gate: which boxes count as people, and whether there is exactly one."""

from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.checkpoints.decision import DetectorDecision
from serve_app.codes import Code
from serve_app.vision.images import Box


@dataclass(frozen=True)
class DetectedPerson:
    """A box that the detector takes for a person, relative to the photo, and its score (0 to 1)."""

    box: Box
    score: float

    @property
    def height(self) -> float:
        """Share of the photo's height."""
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        """Share of the photo's area."""
        return (self.box[2] - self.box[0]) * self.height


def people_that_count(detected: Sequence[DetectedPerson], rule: DetectorDecision) -> list[DetectedPerson]:
    """Applies the person rule; sorted by score, highest first.

    Duplicates are dropped before small boxes, so a part of a person is never kept without the whole.
    """
    kept: list[DetectedPerson] = []
    for person in sorted(detected, key=lambda p: p.score, reverse=True):
        if person.score <= rule.score_threshold:
            break
        if all(overlap(person.box, other.box) <= rule.max_overlap for other in kept):
            kept.append(person)
    return [person for person in kept if person.area > rule.min_area and person.height > rule.min_height]


def gate(people: Sequence[DetectedPerson]) -> Code:
    """OK for exactly one person; otherwise the code of the refusal."""
    if not people:
        return Code.NO_PERSON
    return Code.OK if len(people) == 1 else Code.MULTIPLE_PEOPLE


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union

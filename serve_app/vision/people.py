"""The person gate: which boxes count as people, and whether there is exactly one.

Heads make the count better than boxes of bodies alone: a face from edge to edge is a person, a limb or a coat is none, and two heads in
one box are two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from serve_app.checkpoints.decision import DetectorDecision
from serve_app.codes import Code
from serve_app.vision.images import Box

SAME_HEAD = 0.4  # intersection over union: two boxes of heads that overlap more are one head
INSIDE = 0.6  # share of a head's box that lies in the box of the person whose head it is
CLOSE_UP = 0.7  # share of a person's box that the head covers in a picture of a face from edge to edge
PART = 0.75  # share of a box without a head that lies in the box of a person with one, and so is a part of that person
BYSTANDER = 0.5  # of the height of the largest head: somebody with a smaller one may be in the background
SIDE = 0.02  # of the photo's width: a head nearer to the left or right edge is cut off
# From a head to the box of its person, where no box of a person was found: about the shoulders and the chest.
SHOULDERS, CHEST = 2.2, 3.0  # widths and heights of the head


@dataclass(frozen=True)
class DetectedHead:
    """A box that the detector takes for a head, relative to the photo, and its score (0 to 1)."""

    box: Box
    score: float


@dataclass(frozen=True)
class DetectedPerson:
    """A box that the detector takes for a person, relative to the photo, and its score (0 to 1).

    Attributes:
        head: the person's head; None if none is seen.
        heads_known: whether the detector looks for heads at all.
        body_found: False if there is only a head, from which the box was guessed; the score is the head's.
    """

    box: Box
    score: float
    head: DetectedHead | None = None
    heads_known: bool = False
    body_found: bool = True

    @property
    def height(self) -> float:
        """Share of the photo's height."""
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        """Share of the photo's area."""
        return area(self.box)


def with_heads(people: Sequence[DetectedPerson], heads: Sequence[DetectedHead]) -> list[DetectedPerson]:
    """Gives each person the head in its box, the best first; a head without a person is a person whose body was not found."""
    found = [replace(person, heads_known=True) for person in sorted(people, key=lambda p: p.score, reverse=True)]
    kept: list[DetectedHead] = []
    for head in sorted(heads, key=lambda h: h.score, reverse=True):
        if all(overlap(head.box, other.box) <= SAME_HEAD for other in kept):
            kept.append(head)
    without_body = []
    for head in kept:
        owner = next((i for i, p in enumerate(found) if p.head is None and share_inside(head.box, p.box) >= INSIDE), None)
        if owner is None:
            without_body.append(DetectedPerson(_body_of(head.box), head.score, head, heads_known=True, body_found=False))
        else:
            found[owner] = replace(found[owner], head=head)
    return found + without_body


def people_that_count(detected: Sequence[DetectedPerson], rule: DetectorDecision) -> list[DetectedPerson]:
    """Applies the person rule; sorted by score, highest first.

    Duplicates are dropped before small boxes, so a part of a person is never kept without the whole. People with heads come first, so
    that their parts are recognised as such. Faint heads do not count, but come with the people that do. Nor do people in the background.
    """
    likely = [p for p in detected if not (_is_close_up(p) and p.score <= rule.close_up_threshold)]
    seen = [p if _has_head(p, rule) else replace(p, head=None) for p in likely if p.body_found or _has_head(p, rule)]
    kept: list[DetectedPerson] = []
    for person in sorted(seen, key=lambda p: (p.head is not None, p.score), reverse=True):
        if person.score <= (rule.score_threshold if person.head is None else rule.least_score):
            continue
        if all(overlap(person.box, other.box) <= rule.max_overlap and not _is_part(person, other) for other in kept):
            kept.append(person)
    counted = [person for person in kept if person.area > rule.min_area and person.height > rule.min_height]
    if counted:
        nearest = max(counted, key=_head_height)
        counted = [person for person in counted if not _is_in_background(person, nearest, rule)]
    heads = {person.box: person.head for person in likely}
    return sorted((_with_head_to_crop(person, heads[person.box], rule) for person in counted), key=lambda p: p.score, reverse=True)


def gate(people: Sequence[DetectedPerson]) -> Code:
    """OK for exactly one person; otherwise the code of the refusal."""
    if not people:
        return Code.NO_PERSON
    return Code.OK if len(people) == 1 else Code.MULTIPLE_PEOPLE


def whom_to_answer(people: Sequence[DetectedPerson], most: int) -> tuple[Code, list[DetectedPerson]]:
    """What the gate says, and the people; with `most`, each of several is to be answered, and the largest come first."""
    code = gate(people)
    if most and code is Code.MULTIPLE_PEOPLE:
        return Code.OK, sorted(people, key=lambda person: person.area, reverse=True)
    return code, list(people)


def _has_head(person: DetectedPerson, rule: DetectorDecision) -> bool:
    return person.head is not None and person.head.score > rule.head_threshold


def _with_head_to_crop(person: DetectedPerson, head: DetectedHead | None, rule: DetectorDecision) -> DetectedPerson:
    """The person, with a head that was too faint to count if it is not too faint to be cropped."""
    return replace(person, head=head) if head is not None and head.score > rule.least_cropped_head else person


def _is_close_up(person: DetectedPerson) -> bool:
    return person.head is not None and area(person.head.box) > CLOSE_UP * person.area


def _head_height(person: DetectedPerson) -> float:
    return person.head.box[3] - person.head.box[1] if person.head else 0.0


def _is_in_background(person: DetectedPerson, nearest: DetectedPerson, rule: DetectorDecision) -> bool:
    """A small head without a body; in a portrait, everybody whose head is small, not seen, or cut off at the side."""
    is_small = _head_height(person) < BYSTANDER * _head_height(nearest)
    if _head_height(nearest) <= rule.portrait_height:
        return is_small and not person.body_found
    return is_small or (_is_cut_off(person) and not _is_cut_off(nearest))


def _is_cut_off(person: DetectedPerson) -> bool:
    return person.head is not None and (person.head.box[0] < SIDE or person.head.box[2] > 1 - SIDE)


def _is_part(person: DetectedPerson, other: DetectedPerson) -> bool:
    return person.head is None and other.head is not None and share_inside(person.box, other.box) >= PART


def _body_of(head: Box) -> Box:
    middle, width, height = (head[0] + head[2]) / 2, (head[2] - head[0]) * SHOULDERS, (head[3] - head[1]) * CHEST
    return max(0.0, middle - width / 2), head[1], min(1.0, middle + width / 2), min(1.0, head[1] + height)


def area(box: Box) -> float:
    """Area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def shared_area(a: Box, b: Box) -> float:
    """Area of the intersection of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    shared = shared_area(a, b)
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def share_inside(inner: Box, outer: Box) -> float:
    """Share of the first box that lies in the second one."""
    shared = shared_area(inner, outer)
    return shared / area(inner) if shared else 0.0

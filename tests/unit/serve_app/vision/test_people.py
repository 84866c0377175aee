"""The person rule, and the code for each number of people."""

import pytest

from serve_app.checkpoints.decision import DetectorDecision
from serve_app.codes import Code
from serve_app.vision.images import Box
from serve_app.vision.people import DetectedHead, DetectedPerson, gate, overlap, people_that_count, share_inside, with_heads

RULE = DetectorDecision(score_threshold=0.5, min_area=0.05, min_height=0.25, max_overlap=0.5)
LEFT = (0.0, 0.0, 0.5, 1.0)
RIGHT = (0.5, 0.0, 1.0, 1.0)


def person(box: Box = LEFT, score: float = 0.9) -> DetectedPerson:
    return DetectedPerson(box, score)


@pytest.mark.parametrize(("score", "counts"), [(0.5, False), (0.5000001, True), (1.0, True), (0.1, False)])
def test_the_score_must_be_above_the_threshold(score: float, counts: bool) -> None:
    assert people_that_count([person(score=score)], RULE) == ([person(score=score)] if counts else [])


@pytest.mark.parametrize(("width", "counts"), [(0.0625, False), (0.07, True)])
def test_the_area_must_be_above_the_least(width: float, counts: bool) -> None:
    rule = RULE.model_copy(update={"min_area": 0.03125})
    assert bool(people_that_count([person((0.0, 0.0, width, 0.5))], rule)) is counts


@pytest.mark.parametrize(("height", "counts"), [(0.25, False), (0.26, True)])
def test_the_height_must_be_above_the_least(height: float, counts: bool) -> None:
    assert bool(people_that_count([person((0.0, 0.0, 1.0, height))], RULE)) is counts


def test_the_best_score_comes_first() -> None:
    people = [person(LEFT, 0.6), person(RIGHT, 0.8)]
    assert people_that_count(people, RULE) == people[::-1]


def test_of_two_boxes_on_one_person_the_better_counts() -> None:
    better, worse = person((0.0, 0.0, 0.5, 1.0), 0.8), person((0.0, 0.0, 0.6, 1.0), 0.7)
    assert people_that_count([worse, better], RULE) == [better]


def test_people_side_by_side_overlap_without_being_one() -> None:
    people = [person((0.0, 0.0, 0.6, 1.0), 0.8), person((0.3, 0.0, 0.9, 1.0), 0.7)]
    assert people_that_count(people, RULE) == people


def test_a_box_dropped_as_a_duplicate_drops_no_others() -> None:
    """The middle one is a duplicate of the first; the last overlaps only the middle one."""
    rule = RULE.model_copy(update={"max_overlap": 0.4})
    first, middle, last = (person((x, 0.0, x + 0.4, 1.0), score) for x, score in ((0.0, 0.9), (0.15, 0.8), (0.3, 0.7)))
    assert people_that_count([first, middle, last], rule) == [first, last]


def test_a_part_does_not_outlive_the_whole_person() -> None:
    """A box that is dropped for its size has already removed its duplicates."""
    small, large = person((0.0, 0.0, 0.5, 0.24), 0.9), person((0.0, 0.0, 0.5, 0.26), 0.8)
    assert people_that_count([small, large], RULE) == []


@pytest.mark.parametrize(("count", "code"), [(0, Code.NO_PERSON), (1, Code.OK), (2, Code.MULTIPLE_PEOPLE), (5, Code.MULTIPLE_PEOPLE)])
def test_exactly_one_person_passes(count: int, code: Code) -> None:
    assert gate([person()] * count) is code


@pytest.mark.parametrize(
    ("other", "expected"),
    [(LEFT, 1.0), (RIGHT, 0.0), ((0.25, 0.0, 0.75, 1.0), 1 / 3), ((0.0, 0.0, 0.25, 0.5), 0.25), ((0.5, 0.5, 0.5, 0.5), 0.0)],
)
def test_overlap_is_intersection_over_union(other: Box, expected: float) -> None:
    assert overlap(LEFT, other) == overlap(other, LEFT) == pytest.approx(expected)


# --- heads -----------------------------------------------------------------------------------------------------------------------

HEADED_RULE = RULE.model_copy(update={"head_threshold": 0.6, "headed_score_threshold": 0.2})
LEFT_HEAD, RIGHT_HEAD = (0.15, 0.0, 0.35, 0.2), (0.65, 0.0, 0.85, 0.2)


def head(box: Box = LEFT_HEAD, score: float = 0.9) -> DetectedHead:
    return DetectedHead(box, score)


def counted(people: list[DetectedPerson], heads: list[DetectedHead], rule: DetectorDecision = HEADED_RULE) -> list[DetectedPerson]:
    return people_that_count(with_heads(people, heads), rule)


def test_each_person_gets_the_head_in_the_box() -> None:
    left, right = counted([person(LEFT, 0.9), person(RIGHT, 0.8)], [head(RIGHT_HEAD), head(LEFT_HEAD)])
    assert left.head == head(LEFT_HEAD)
    assert right.head == head(RIGHT_HEAD)


def test_a_person_without_a_visible_head_still_counts() -> None:
    [found] = counted([person()], [])
    assert found.head is None
    assert found.heads_known


def test_a_head_with_a_low_score_is_none() -> None:
    [found] = counted([person()], [head(score=0.6)])
    assert found.head is None


def test_a_box_with_a_low_score_counts_with_a_head_in_it() -> None:
    assert counted([person(score=0.3)], []) == []
    assert len(counted([person(score=0.3)], [head()])) == 1
    assert counted([person(score=0.2)], [head(score=0.6)]) == []


def test_two_heads_in_one_box_are_two_people() -> None:
    whole = person((0.0, 0.0, 1.0, 1.0))
    assert gate(counted([whole], [head(LEFT_HEAD), head(RIGHT_HEAD)])) is Code.MULTIPLE_PEOPLE


def test_two_boxes_of_one_head_are_one_head() -> None:
    shifted = head((0.16, 0.01, 0.36, 0.21), 0.7)
    assert gate(counted([person()], [head(), shifted])) is Code.OK


def test_a_limb_beside_a_person_with_a_head_is_no_person() -> None:
    limb = person((0.05, 0.6, 0.45, 1.0), 0.8)
    assert [found.box for found in counted([person(score=0.7), limb], [head()])] == [LEFT]
    assert gate(counted([person(score=0.7), limb], [])) is Code.MULTIPLE_PEOPLE  # without the head, either may be the person


def test_a_face_whose_body_was_not_found_is_a_person() -> None:
    face = (0.3, 0.2, 0.6, 0.7)
    [found] = counted([], [head(face)])
    assert found.head == head(face)
    assert share_inside(face, found.box) == 1.0
    assert found.score == head().score


def test_a_faint_face_without_a_body_is_nobody() -> None:
    assert counted([], [head((0.3, 0.2, 0.6, 0.7), 0.55)]) == []


def test_a_head_over_a_faint_body_is_nobody() -> None:
    assert counted([person(score=0.1)], [head()]) == []


def test_a_tiny_head_without_a_body_is_nobody() -> None:
    assert counted([], [head((0.5, 0.5, 0.53, 0.54))]) == []


def test_a_small_face_at_the_edge_behind_a_large_one_is_background() -> None:
    face, behind = head((0.3, 0.1, 0.7, 0.6)), head((0.85, 0.3, 1.0, 0.5))
    assert len(counted([person((0.1, 0.0, 0.9, 1.0))], [face, behind])) == 1
    assert len(counted([person((0.1, 0.0, 0.9, 1.0)), person((0.8, 0.2, 1.0, 1.0), 0.7)], [face, behind])) == 2  # its body is seen


def test_people_behind_the_one_of_a_portrait_are_background() -> None:
    """Where one head takes up much of the photo: those whose head is less than half as high, not seen, or cut off at the side."""
    rule = HEADED_RULE.model_copy(update={"portrait_height": 0.4})
    front, face = person((0.1, 0.0, 0.7, 1.0)), head((0.2, 0.05, 0.6, 0.5))
    behind = person((0.7, 0.2, 1.0, 1.0), 0.7)
    for behind_it in ([head((0.8, 0.2, 0.95, 0.4))], [head((0.8, 0.2, 0.99, 0.6))], []):
        assert [each.box for each in counted([front, behind], [face, *behind_it], rule)] == [front.box]
        assert len(counted([front, behind], [face, *behind_it])) == 2  # unless the rule is there
    beside = head((0.75, 0.2, 0.95, 0.5))
    assert gate(counted([front, behind], [face, beside], rule)) is Code.MULTIPLE_PEOPLE
    both_cut_off = person((0.0, 0.0, 0.7, 1.0)), head((0.0, 0.05, 0.4, 0.5))
    assert gate(counted([both_cut_off[0], behind], [both_cut_off[1], head((0.8, 0.2, 1.0, 0.6))], rule)) is Code.MULTIPLE_PEOPLE


def test_people_far_away_are_no_portrait() -> None:
    rule = HEADED_RULE.model_copy(update={"portrait_height": 0.4})
    near, far = person((0.1, 0.0, 0.5, 1.0)), person((0.6, 0.3, 0.9, 1.0), 0.7)
    assert len(counted([near, far], [head((0.2, 0.0, 0.4, 0.39)), head((0.7, 0.3, 0.8, 0.4))], rule)) == 2


def test_a_face_from_edge_to_edge_is_one_person() -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    assert gate(counted([person(whole, 0.4)], [head(whole, 0.95)])) is Code.OK
    assert gate(counted([], [head(whole, 0.95)])) is Code.OK


def test_a_face_from_edge_to_edge_may_have_a_threshold_of_its_own() -> None:
    """It is easy to find; what looks like one with a low score is the face of a cat."""
    whole, rule = (0.0, 0.0, 1.0, 1.0), HEADED_RULE.model_copy(update={"close_up_threshold": 0.7})
    nearly = (0.0, 0.0, 1.0, 0.71)  # all but the shoulders
    assert gate(counted([person(whole, 0.69)], [head(whole, 0.95)], rule)) is Code.NO_PERSON
    assert gate(counted([person(whole, 0.69)], [head(nearly, 0.95)], rule)) is Code.NO_PERSON
    assert gate(counted([person(whole, 0.71)], [head(whole, 0.95)], rule)) is Code.OK
    assert gate(counted([person(whole, 0.69)], [head((0.2, 0.0, 0.8, 0.8), 0.95)], rule)) is Code.OK


def test_a_head_too_faint_to_count_may_be_cropped_with_its_person() -> None:
    """It says little about how many people there are, but where the classifier should look."""
    rule = HEADED_RULE.model_copy(update={"cropped_head_threshold": 0.1})
    body, faint, fainter = person((0.1, 0.0, 0.9, 1.0)), head((0.3, 0.1, 0.6, 0.4), 0.2), head((0.3, 0.1, 0.6, 0.4), 0.05)
    (found,) = counted([body], [faint], rule)
    assert found.head == faint
    for heads, with_rule in (([faint], HEADED_RULE), ([fainter], rule)):
        (without,) = counted([body], heads, with_rule)
        assert without.head is None


def test_a_head_too_faint_to_count_changes_no_count() -> None:
    rule = HEADED_RULE.model_copy(update={"cropped_head_threshold": 0.0})
    faint = [head((0.6, 0.1, 0.8, 0.3), 0.5), head((0.1, 0.1, 0.3, 0.3), 0.5)]
    people = [person((0.1, 0.0, 0.9, 1.0), RULE.score_threshold), person((0.55, 0.05, 0.85, 0.95), 0.9)]
    for found in ([], people, people[1:]):
        assert [each.box for each in counted(found, faint, rule)] == [each.box for each in counted(found, faint)]

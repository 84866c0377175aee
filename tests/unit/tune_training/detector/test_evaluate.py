from pathlib import Path

import numpy as np
import pytest

from serve_app.checkpoints.decision import DetectorDecision
from serve_app.vision.people import DetectedHead, DetectedPerson
from tests.support.drawn_photos import FigureFinder, write_people
from tune_training.detector.coco import AnnotatedPhoto, read_coco
from tune_training.detector.evaluate import choose_detector_decision, count_metrics, detections, true_count
from tune_training.io.errors import InputError

LEFT, MIDDLE, RIGHT = (0.0, 0.1, 0.3, 0.9), (0.35, 0.1, 0.65, 0.9), (0.7, 0.1, 1.0, 0.9)
TINY = (0.5, 0.5, 0.55, 0.6)


def photo(*boxes: tuple[float, ...], source: str = "a") -> AnnotatedPhoto:
    """A photo of these people, each with a head as large as the body: heads are not counted as people."""
    both = np.array([*boxes, *boxes], dtype=np.float32).reshape(-1, 4)
    return AnnotatedPhoto(Path(), both, np.repeat([0, 1], len(boxes)), source)


def found(*people: tuple[tuple[float, float, float, float], float]) -> list[DetectedPerson]:
    return [DetectedPerson(box, score) for box, score in people]


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([], 0),
        ([TINY], 0),
        ([(0.0, 0.0, 1.0, 0.19)], 0),
        ([(0.0, 0.0, 0.06, 0.8)], 0),
        ([LEFT], 1),
        ([LEFT, TINY], 1),
        ([LEFT, RIGHT], 2),
        ([LEFT, MIDDLE, RIGHT], 2),
    ],
    ids=["nobody", "small", "low", "thin", "one", "one-and-small", "two", "three"],
)
def test_the_true_count_follows_the_size_rule(boxes: list[tuple[float, ...]], count: int) -> None:
    assert true_count(photo(*boxes), DetectorDecision()) == count


def test_counts_are_judged_over_all_by_count_and_by_source() -> None:
    photos = [photo(), photo(TINY), photo(LEFT), photo(LEFT, source="b"), photo(LEFT, RIGHT, source="b"), photo(LEFT, MIDDLE, RIGHT)]
    detected = [
        found(),  # right: 0
        found((LEFT, 0.9)),  # wrong: 1 for 0
        found((LEFT, 0.9), (RIGHT, 0.5)),  # right: the second is below the threshold
        found(),  # wrong: 0 for 1
        found((LEFT, 0.9), (RIGHT, 0.8)),  # right
        found((LEFT, 0.9), (RIGHT, 0.8)),  # right: 2+ is one class
    ]
    assert count_metrics(photos, detected, DetectorDecision()) == {
        "photos": 6,
        "accuracy": pytest.approx(4 / 6),
        "accuracy_by_count": {"0": 0.5, "1": 0.5, "2+": 1.0},
        "accuracy_by_source": {"a": 0.75, "b": 0.5},
        "confusion_true_by_counted": {"0": [1, 1, 0], "1": [1, 1, 0], "2+": [0, 0, 2]},
    }


def test_a_count_that_does_not_occur_has_no_accuracy() -> None:
    metrics = count_metrics([photo(LEFT)], [found((LEFT, 0.9))], DetectorDecision())
    assert metrics["accuracy_by_count"] == {"1": 1.0}


def test_the_threshold_between_people_and_phantoms_is_chosen() -> None:
    photos = [photo(), photo(LEFT), photo(LEFT, RIGHT)] * 3
    phantom = (MIDDLE, 0.42)
    detected = [found(phantom), found((LEFT, 0.55), phantom), found((LEFT, 0.6), (RIGHT, 0.52), phantom)] * 3
    rule = choose_detector_decision(photos, detected, [])
    assert 0.42 <= rule.score_threshold < 0.52
    assert count_metrics(photos, detected, rule)["accuracy"] == 1.0
    assert (rule.min_area, rule.min_height) == (0.05, 0.20)


def test_the_overlap_that_tells_duplicates_from_neighbours_is_chosen() -> None:
    """Duplicates overlap by 0.74, two people standing close together by 0.54."""
    body, duplicate, neighbour = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.37, 1.0), (0.15, 0.0, 0.65, 1.0)
    photos = [photo(body), photo(body, neighbour), photo()]
    detected = [found((body, 0.9), (duplicate, 0.8)), found((body, 0.9), (neighbour, 0.8)), found()]
    rule = choose_detector_decision(photos, detected, [])
    assert rule.max_overlap in (0.6, 0.7)
    assert count_metrics(photos, detected, rule)["accuracy"] == 1.0


def test_the_thresholds_of_heads_and_of_people_with_heads_are_chosen() -> None:
    """A coat scores more than the person does, whose head tells them apart; a faint head is none."""
    faint = DetectedPerson(LEFT, 0.5, DetectedHead((0.1, 0.1, 0.2, 0.2), 0.3), heads_known=True)
    person = DetectedPerson(RIGHT, 0.35, DetectedHead((0.8, 0.1, 0.9, 0.2), 0.8), heads_known=True)
    photos, detected = [photo(), photo(RIGHT)] * 3, [[faint], [faint, person]] * 3
    rule = choose_detector_decision(photos, detected, [])
    assert 0.3 <= rule.head_threshold < 0.8
    assert rule.headed_score_threshold is not None
    assert rule.headed_score_threshold < 0.35 < 0.5 <= rule.score_threshold
    assert count_metrics(photos, detected, rule)["accuracy"] == 1.0


def test_portraits_pull_the_threshold_to_where_they_are_answered() -> None:
    photos, detected = [photo(), photo(LEFT)], [found(), found((LEFT, 0.75))]
    portraits = [found((LEFT, 0.3))] * 4
    assert choose_detector_decision(photos, detected, portraits).score_threshold < 0.3


def test_the_height_from_which_a_head_makes_a_portrait_is_chosen() -> None:
    """Behind the person of a portrait there is somebody, as tall as the second of two people in a street."""

    def two(height: float) -> list[DetectedPerson]:
        first = DetectedPerson(LEFT, 0.9, DetectedHead((0.1, 0.0, 0.4, height), 0.9), heads_known=True)
        return [first, DetectedPerson(RIGHT, 0.9, DetectedHead((0.7, 0.0, 0.8, 0.05), 0.9), heads_known=True)]

    photos, detected = [photo(), photo(LEFT), photo(LEFT, RIGHT)], [[], found((LEFT, 0.9)), two(0.2)]
    assert choose_detector_decision(photos, detected, [two(0.45)] * 3).portrait_height in (0.25, 0.3, 0.35, 0.4)


def test_what_is_not_chosen_stays_as_it_was() -> None:
    start = DetectorDecision(cropped_head_threshold=0.1, min_area=0.02, input_size=320)
    rule = choose_detector_decision([photo(), photo(LEFT)], [found(), found((LEFT, 0.9))], [], start)
    assert (rule.cropped_head_threshold, rule.min_area, rule.input_size) == (0.1, 0.02, 320)


def test_detections_are_those_of_the_photos_in_their_order(tmp_path: Path) -> None:
    photos = read_coco(write_people(tmp_path, ["val"], photos=18) / "val.json")
    people = detections([str(photo.path) for photo in photos], FigureFinder().as_detector())
    assert [len(part) for part in people] == [0, 1, 2] * 6
    assert count_metrics(photos, people, DetectorDecision())["accuracy"] == 1.0


def test_a_broken_labelled_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(InputError, match=r"broken.jpg: corrupt_image"):
        detections([str(tmp_path / "broken.jpg")], FigureFinder().as_detector())

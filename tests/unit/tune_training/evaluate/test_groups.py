import numpy as np
import pytest

from tests.unit.tune_training.evaluate.test_scores import judged
from tune_training.evaluate.groups import FEWEST_ANSWERS, FEWEST_OF_A_LABEL, by_group, group_columns, recalls_by_label


def test_columns_that_name_photos_or_tell_nothing_apart_are_left_out() -> None:
    columns = {"source": ["a"] * 50, "race": ["x", "y"] * 25, "constant": ["c"] * 50, "file": [f"{n}.jpg" for n in range(50)]}
    assert set(group_columns(columns)) == {"source", "race"}
    assert set(group_columns(columns, ["file", "race"])) == {"file", "race"}


def test_the_worst_group_and_the_gap_to_the_best() -> None:
    photos = 4 * FEWEST_ANSWERS
    female = np.arange(photos) % 2 == 0
    names = np.array(["good", "bad"] * photos)[:photos]
    names = np.where(np.arange(photos) < photos // 2, "good", "bad")
    right = (names == "good") | (np.arange(photos) % 4 < 2)
    compared = by_group(judged(female.tolist(), np.where(female == right, 1.0, -1.0).tolist()), names)
    assert (compared["worst"], compared["best"]) == ("bad", "good")
    assert compared["gap"].value == pytest.approx(0.5)
    assert compared["gap"].low > 0.3
    assert compared["groups"]["bad"]["balanced_accuracy"].value == 0.5


def test_small_groups_and_groups_of_one_label_are_listed_and_never_the_worst() -> None:
    large = FEWEST_ANSWERS * 2
    female = [True, False] * large + [True] * 3 + [True] * large
    names = np.array(["a"] * large + ["b"] * large + ["small"] * 3 + ["women"] * large + [""] * 0)
    margins = [1.0, -1.0] * large + [-1.0] * 3 + [-1.0] * large
    compared = by_group(judged(female, margins), names)
    assert set(compared["groups"]) == {"a", "b", "small", "women"}
    assert {compared["worst"], compared["best"]} <= {"a", "b"}
    assert compared["gap"].value == 0.0


def test_photos_without_a_value_are_in_no_group() -> None:
    compared = by_group(judged([True, False], [1.0, -1.0]), np.array(["", "a"]))
    assert set(compared["groups"]) == {"a"}
    assert "worst" not in compared


def test_the_lowest_recall_of_a_label_in_a_group_comes_first_and_few_answers_are_left_out() -> None:
    many, few = FEWEST_OF_A_LABEL, FEWEST_OF_A_LABEL - 1
    female = [True] * many + [False] * many + [True] * many + [False] * few
    margins = [1.0] * many + [-1.0] * (many - 5) + [1.0] * 5 + [1.0] * (many - 10) + [-1.0] * 10 + [1.0] * few
    names = np.array(["20-29"] * 2 * many + ["70+"] * (many + few))
    found = recalls_by_label(by_group(judged(female, margins), names)["groups"])
    assert [(each["group"], each["label"], each["recall"].value) for each in found] == [
        ("70+", "female", 0.8),
        ("20-29", "male", 0.9),
        ("20-29", "female", 1.0),
    ]


def test_groups_tell_of_their_coverage_and_of_their_surest_answers() -> None:
    names = np.array(["a", "a", "a", "b"])
    groups = by_group(judged([True, True, True, False], [4.0, -4.0, np.nan, -0.1]), names, threshold=0.9)["groups"]
    assert groups["a"]["selection"]["coverage"].value == pytest.approx(2 / 3)
    assert groups["a"]["selection"]["risk"].value == 0.5
    assert (groups["b"]["selection"]["coverage"].value, groups["b"]["selection"]["risk"]) == (0.0, None)
    assert groups["a"]["errors_when_sure"]["by_label"]["female"]["answers"] == 2
    assert groups["b"]["errors_when_sure"]["by_label"] == {}

"""The paired test tells a worse model from noise, and its metrics are those of the report."""

from dataclasses import replace

import numpy as np
import pytest

from serve_app.codes import Code
from serve_app.runtimes.base import FEMALE, MALE
from tune_training.data.photo import Photo
from tune_training.evaluate.calibration import Bools, Floats
from tune_training.evaluate.comparison import Comparison, compare, label_groups
from tune_training.evaluate.scores import Judged, scores

PHOTOS = 600
RNG = np.random.default_rng(3)
WOMEN: Bools = np.arange(PHOTOS) % 2 == 0
OLD: Bools = np.arange(PHOTOS) % 6 < 2  # a third of either label


def judged(right: Bools, confidence: float = 0.9) -> Judged:
    """Answers of one confidence."""
    margins: Floats = np.where(right == WOMEN, 1.0, -1.0) * np.log(confidence / (1 - confidence))
    return Judged(WOMEN, [Code.OK] * PHOTOS, margins)


def wrong_at(*indices: int) -> Bools:
    right = np.ones(PHOTOS, dtype=bool)
    right[list(indices)] = False
    return right


def by_metric(new: Judged, old: Judged, groups: dict[str, Bools] | None = None) -> dict[str, Comparison]:
    return {each.metric: each for each in compare(new, old, groups or {}, draws=400)}


def test_the_metrics_are_those_of_the_report() -> None:
    margins = RNG.normal(size=PHOTOS) + np.where(WOMEN, 1.0, -0.5)
    margins[RNG.choice(PHOTOS, 50, replace=False)] = np.nan
    some = Judged(WOMEN, [Code.OK] * PHOTOS, margins, 1.7)
    found, expected = by_metric(some, judged(wrong_at(1)), {"old women": WOMEN & OLD, "old men": ~WOMEN & OLD}), scores(some, draws=100)
    for metric in ("balanced_accuracy", "ece"):
        assert found[metric].new == pytest.approx(expected[metric].value)
    by_group = {name: scores(some.only(group & OLD), draws=100)["accuracy"].value for name, group in (("w", WOMEN), ("m", ~WOMEN))}
    assert found["worst_group"].new == pytest.approx(min(by_group.values()))


def test_the_same_answers_are_not_worse() -> None:
    one = judged(wrong_at(*range(60)))
    assert not any(each.worse for each in compare(one, one, {"old": OLD}, draws=400))


def test_a_few_more_mistakes_on_the_same_photos_are_noise_and_many_are_not() -> None:
    old = judged(wrong_at(*range(60)))
    assert not by_metric(judged(wrong_at(*range(62))), old)["balanced_accuracy"].worse
    # Unpaired, the intervals of 10 % and 12.5 % mistakes of 600 would overlap by far.
    worse = by_metric(judged(wrong_at(*range(75))), old)["balanced_accuracy"]
    assert worse.worse
    assert (worse.new, worse.old) == pytest.approx((0.875, 0.9), abs=0.002)
    assert not by_metric(old, judged(wrong_at(*range(75))))["balanced_accuracy"].worse  # better is no finding


def test_a_worse_group_shows_though_all_photos_together_are_better() -> None:
    groups = {"old": OLD, "young": ~OLD}
    young, old = np.flatnonzero(~OLD).tolist(), np.flatnonzero(OLD).tolist()
    before = judged(wrong_at(*young[:60], *old[:20]))
    found = by_metric(judged(wrong_at(*old[:60])), before, groups)
    assert not found["balanced_accuracy"].worse
    assert found["worst_group"].worse
    assert found["worst_group"].groups == ("old", "young")
    assert "worst_group 0.7000 (old), the published one has 0.8500 (young), difference -0.1500, 95 % interval -" in str(
        found["worst_group"]
    )


def test_confidence_that_says_less_is_worse() -> None:
    tenth = wrong_at(*range(60))
    found = by_metric(judged(tenth, 0.99), judged(tenth, 0.9))
    assert found["ece"].worse and not found["balanced_accuracy"].worse
    assert not by_metric(judged(tenth, 0.9), judged(tenth, 0.99))["ece"].worse


def test_models_that_answer_nothing_are_not_compared() -> None:
    nothing = replace(judged(wrong_at()), margins=np.full(PHOTOS, np.nan))
    assert compare(nothing, judged(wrong_at()), {"old": OLD}) == []


def test_groups_are_labels_within_age_race_and_framing_with_enough_photos() -> None:
    def photos(count: int, label: str, **columns: str) -> list[Photo]:
        return [Photo("photos", "a.jpg", label, columns=columns)] * count

    groups = label_groups(
        [*photos(50, FEMALE, age="7", race="white"), *photos(60, MALE, age="7", race=""), *photos(49, MALE, framing="face")]
    )
    assert {name: int(members.sum()) for name, members in groups.items()} == {
        "female, age 0-12": 50,
        "male, age 0-12": 60,
        "female, race white": 50,
    }

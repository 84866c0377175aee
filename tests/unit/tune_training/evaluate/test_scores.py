import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from serve_app.codes import Code
from tune_training.evaluate.scores import METRICS, Judged, bootstrapped, scores, share


def judged(female: list[bool], margins: list[float], temperature: float = 1.0) -> Judged:
    """A margin of NaN means a refusal."""
    values = np.array(margins, dtype=float)
    codes = [Code.NO_PERSON if np.isnan(margin) else Code.OK for margin in margins]
    return Judged(np.array(female, dtype=bool), codes, values, temperature)


def random_answers(photos: int, seed: int = 0) -> Judged:
    rng = np.random.default_rng(seed)
    female = rng.random(photos) < 0.4
    return judged(female.tolist(), (np.where(female, 1.0, -1.0) + rng.normal(size=photos) * 1.2).tolist())


def test_refused_photos_count_as_not_answered_and_as_nothing_else() -> None:
    found = scores(judged([True, True, True, False, False], [2.0, -1.0, np.nan, -3.0, np.nan]))
    assert found["photos"] == 5
    assert found["codes"] == {"no_person": 2, "ok": 3}
    assert found["answered"].value == 0.6
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["confusion"] == [[1, 1], [0, 1]]
    assert {label: recall.value for label, recall in found["recall"].items()} == {"female": 0.5, "male": 1.0}
    assert found["balanced_accuracy"].value == 0.75
    assert found["roc_auc"].value == 1.0


def test_nobody_answered_leaves_no_accuracy() -> None:
    found = scores(judged([True], [np.nan]))
    assert set(found) == {"photos", "codes", "answered"}


def test_one_label_has_no_area_and_no_f1() -> None:
    found = scores(judged([False] * 4, [-1.0, -2.0, 3.0, -1.0]))
    assert found["balanced_accuracy"].value == 0.75
    assert found["recall"].keys() == {"male"}
    assert not {"roc_auc", "f1"} & set(found)


def test_the_temperature_changes_confidence_and_no_answer() -> None:
    answers = random_answers(200)
    hot = scores(judged(answers.female.tolist(), answers.margins.tolist(), 5.0))
    assert hot["ece"].value != scores(answers)["ece"].value
    assert hot["accuracy"] == scores(answers)["accuracy"]


def test_wilsons_interval_by_hand() -> None:
    """Wilson 1927, for 8 of 10: centre (p + z²/2n) / (1 + z²/n), with z = 1.96."""
    value, low, high = share(8, 10)
    assert (value, low, high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert share(10, 10).high == 1.0


def test_the_resampled_metrics_are_scikit_learns() -> None:
    answers = random_answers(300)
    predicted = answers.margins >= 0
    once = {name: metric(answers.female, answers.margins, 1.0) for name, metric in METRICS.items()}
    assert once["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(answers.female, predicted))
    assert once["f1"] == pytest.approx(f1_score(answers.female, predicted, average="macro"))
    assert once["roc_auc"] == pytest.approx(roc_auc_score(answers.female, answers.margins))


def test_intervals_hold_the_value_shrink_with_more_photos_and_come_out_the_same_again() -> None:
    few, many = scores(random_answers(100)), scores(random_answers(2000))
    for name in ("answered", "accuracy", "balanced_accuracy", "f1", "roc_auc"):
        for found in (few, many):
            assert found[name].low <= found[name].value <= found[name].high
        if name != "answered":
            assert many[name].high - many[name].low < few[name].high - few[name].low
    assert scores(random_answers(100)) == few


def test_the_interval_of_a_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    """For about 95 of 100 small sets of photos, the interval should contain the accuracy over all photos."""
    truth = scores(random_answers(50_000, seed=1), draws=100)["balanced_accuracy"].value
    found = [scores(random_answers(150, seed), draws=300)["balanced_accuracy"] for seed in range(100)]
    assert 88 <= sum(each.low <= truth <= each.high for each in found) <= 100


def test_draws_without_a_label_do_not_count() -> None:
    """About a third of the draws are of men only."""
    answers = judged([True, False, False, False], [1.0, -1.0, -2.0, -1.0])
    assert bootstrapped(answers, ["roc_auc"], 200) == [(1.0, 1.0, 1.0)]


def test_one_answer_has_no_spread() -> None:
    assert scores(judged([True], [1.0]))["balanced_accuracy"] == (1.0, 1.0, 1.0)

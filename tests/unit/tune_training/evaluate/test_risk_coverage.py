import numpy as np
import pytest

from tests.unit.tune_training.evaluate.test_scores import judged
from tune_training.evaluate.risk_coverage import at_threshold, risk_coverage, selection, selective_metrics

ALL_FEMALE = [True] * 5


def test_the_surest_answers_come_first_and_refused_photos_are_never_covered() -> None:
    curve = risk_coverage(judged(ALL_FEMALE, [3.0, -2.0, 1.0, 0.5, np.nan]))
    assert curve.coverage.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert (np.diff(curve.threshold) < 0).all()
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_equally_sure_answers_are_given_together() -> None:
    curve = risk_coverage(judged(ALL_FEMALE, [1.0, -1.0, 1.0, -1.0, 2.0]))
    assert curve.coverage.tolist() == pytest.approx([0.2, 1.0])
    assert curve.risk.tolist() == pytest.approx([0, 0.4])


@pytest.mark.parametrize(("error_rate", "coverage"), [(0.0, 0.2), (0.3, 0.8), (1.0, 0.8)])
def test_the_threshold_keeps_as_many_answers_as_the_error_rate_allows(error_rate: float, coverage: float) -> None:
    answers = judged(ALL_FEMALE, [3.0, -2.0, 1.0, 0.5, np.nan])
    threshold = risk_coverage(answers).threshold_for(error_rate)
    assert threshold is not None
    covered, risk = at_threshold(answers, threshold)
    assert covered.value == coverage
    assert risk is not None
    assert risk.value <= error_rate


def test_there_may_be_no_threshold() -> None:
    answers = judged([True, True], [-3.0, 1.0])
    assert risk_coverage(answers).threshold_for(0.1) is None
    covered, risk = at_threshold(answers, 0.9999)
    assert (covered.value, risk) == (0, None)


def test_nobody_answered() -> None:
    curve = risk_coverage(judged([True], [np.nan]))
    assert (len(curve.risk), curve.area, curve.threshold_for(0.5)) == (0, 0.0, None)


def test_coverage_and_risk_of_women_and_men_apart() -> None:
    female = [True, True, True, True, False, False]
    found = selection(judged(female, [3.0, -3.0, 0.1, np.nan, -3.0, -3.0]), 0.9)
    assert (found["coverage"].value, found["risk"].value) == (pytest.approx(4 / 6), pytest.approx(1 / 4))
    women, men = found["by_label"]["female"], found["by_label"]["male"]
    assert (women["coverage"].value, women["risk"].value) == (0.5, 0.5)
    assert (men["coverage"].value, men["risk"].value) == (1.0, 0.0)


def test_a_min_confidence_is_what_coverage_and_risk_are_reported_at() -> None:
    answers = judged([True, True, False, False], [3.0, -3.0, 0.1, -3.0])
    found = selective_metrics(answers, None, error_rate=0.02, min_confidence=0.9)
    assert (found["threshold"], found["chosen_on"]) == (0.9, "decision.json")
    assert (found["coverage"].value, found["risk"].value) == (0.75, pytest.approx(1 / 3))
    assert selective_metrics(answers, None, error_rate=0.5)["chosen_on"] == "the same photos"

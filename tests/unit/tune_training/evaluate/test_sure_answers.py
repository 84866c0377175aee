import numpy as np
import pytest

from tests.unit.tune_training.evaluate.test_scores import judged
from tune_training.evaluate.calibration import probability_of_female
from tune_training.evaluate.sure_answers import errors_when_sure


def test_promised_and_observed_errors_of_women_and_men_apart() -> None:
    margins = [4.0, 3.0, -4.0, 0.5, np.nan, -5.0, -0.1]
    found = errors_when_sure(judged([True] * 5 + [False] * 2, margins))["by_label"]
    sure = probability_of_female(np.array([4.0, 3.0, 4.0]), 1.0)
    assert found["female"]["answers"] == 3
    assert found["female"]["promised"] == pytest.approx(1 - sure.mean())
    assert found["female"]["observed"].value == pytest.approx(1 / 3)
    assert (found["male"]["answers"], found["male"]["observed"].value) == (1, 0.0)


def test_a_label_without_sure_answers_is_left_out() -> None:
    assert errors_when_sure(judged([True, False], [0.1, -9.0]))["by_label"].keys() == {"male"}

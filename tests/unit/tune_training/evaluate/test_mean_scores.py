import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from tests.unit.tune_training.evaluate.test_scores import judged
from tune_training.evaluate.mean_scores import framing_scores, mean_scores

# Nearly all photos are faces of one source, which the model knows; it knows the others less.
SIZES = {("face", "large", 0.98): 600, ("face", "small", 0.8): 60, ("body", "small", 0.6): 60}
FRAMINGS, SOURCES = (np.repeat([kind[part] for kind in SIZES], list(SIZES.values())) for part in (0, 1))
RIGHT = np.concatenate([np.arange(count) / count < accuracy for (_, _, accuracy), count in SIZES.items()])
FEMALE = np.random.default_rng(0).random(len(RIGHT)) < 0.5
ANSWERS = judged(FEMALE.tolist(), np.where(RIGHT == FEMALE, 2.0, -2.0).tolist())


def balanced(framing: str, source: str) -> float:
    inside = (framing == FRAMINGS) & (source == SOURCES)
    return float(balanced_accuracy_score(FEMALE[inside], ANSWERS.predicted_female[inside]))


def test_the_mean_is_over_the_framings_of_the_means_over_their_sources() -> None:
    expected = ((balanced("face", "large") + balanced("face", "small")) / 2 + balanced("body", "small")) / 2
    found = mean_scores(ANSWERS, FRAMINGS, SOURCES, draws=200)["mean_balanced_accuracy"]
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high
    assert expected < RIGHT.mean() - 0.1  # which the largest source dominates


def test_each_framing_has_its_own_scores() -> None:
    found = framing_scores(ANSWERS, FRAMINGS, SOURCES, draws=200)
    assert {name: framing["answers"] for name, framing in found.items()} == {"body": 60, "face": 660}
    assert found["body"]["mean_balanced_accuracy"].value == pytest.approx(balanced("body", "small"))
    confidence = float(ANSWERS.confidence[0])
    (bar,) = found["face"]["reliability"]  # all answers are as sure
    assert bar["accuracy"] == pytest.approx((balanced("face", "large") + balanced("face", "small")) / 2)
    assert found["face"]["mean_ece"].value == pytest.approx(abs(bar["accuracy"] - confidence))

import numpy as np
import pytest

from serve_app.checkpoints.decision import ClassifierDecision
from tune_training.evaluate.calibration import expected_calibration_error, fit_temperature, negative_log_likelihood, reliability


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(0)
    calibrated = rng.normal(size=40_000) * 3
    female = rng.random(40_000) < 1 / (1 + np.exp(-calibrated))
    assert fit_temperature(calibrated * temperature, female) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize(("right", "low", "high"), [(True, 0.05, 0.2), (False, 19.9, 20)], ids=["all-right", "all-wrong"])
def test_the_temperature_stays_within_bounds(right: bool, low: float, high: float) -> None:
    margins = np.array([4.0, -4.0, 2.0, -2.0])
    temperature = fit_temperature(margins, (margins > 0) == right)
    assert low <= round(temperature, 3) <= high
    assert ClassifierDecision(temperature=temperature)


def test_the_likelihood_of_large_margins_is_finite() -> None:
    assert negative_log_likelihood(np.array([1e6]), np.array([False]), 1.0) == pytest.approx(1e6)


def test_calibration_error_by_hand() -> None:
    """Two bins of five: (0.65 of 3, 1 right) and (0.9 of 2, both right)."""
    confidence = np.array([0.6, 0.65, 0.7, 0.85, 0.95])
    right = np.array([True, False, False, True, True])
    expected = 3 / 5 * (0.65 - 1 / 3) + 2 / 5 * (1 - 0.9)
    assert expected_calibration_error(confidence, right, bins=5) == pytest.approx(expected)
    many = expected_calibration_error(np.stack([confidence, np.ones(5)]), np.stack([right, np.ones(5, dtype=bool)]), bins=5)
    assert many == pytest.approx([expected, 0.0])


def test_weights_count_like_copies_of_an_answer() -> None:
    margins, female = np.array([3.0, -2.0, 1.0, -0.5]), np.array([True, True, True, False])
    copies = np.array([1, 2, 3, 1])
    repeated = np.repeat(margins, copies), np.repeat(female, copies)
    weights = copies / copies.sum()
    assert fit_temperature(margins, female, weights) == pytest.approx(fit_temperature(*repeated), rel=1e-3)
    confidence, right = 1 / (1 + np.exp(-np.abs(margins))), (margins > 0) == female
    expected = expected_calibration_error(np.repeat(confidence, copies), np.repeat(right, copies))
    assert expected_calibration_error(confidence, right, weights=weights) == pytest.approx(expected)
    bars = reliability(np.repeat(confidence, copies), np.repeat(right, copies))
    for one, other in zip(reliability(confidence, right, weights=weights), bars, strict=True):
        assert (one["confidence"], one["accuracy"]) == pytest.approx((other["confidence"], other["accuracy"]))


def test_the_bins_hold_each_answer_once() -> None:
    bins = reliability(np.array([0.55, 0.56, 0.9, 1.0]), np.array([True, False, True, True]), bins=10)
    assert [(each["low"], each["answers"], each["accuracy"]) for each in bins] == [(0.5, 2, 0.5), (0.9, 2, 1.0)]
    assert bins[1]["confidence"] == pytest.approx(0.95)

"""Temperature and min_confidence on answers whose right and wrong ones are known: a large, easy source and small, harder ones."""

import logging

import numpy as np
import pytest

from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.codes import Code
from tune_training.data.photo import Photo
from tune_training.evaluate.calibration import Floats, negative_log_likelihood
from tune_training.evaluate.confidence_choice import calibrated, fit_min_confidence
from tune_training.evaluate.scores import Judged


def answers_of(photos: int, overconfidence: float, seed: int) -> Judged:
    """Answers whose logits are `overconfidence` times the true ones."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=photos) * 3
    female = rng.random(photos) < 1 / (1 + np.exp(-true))
    return Judged(female, [Code.OK] * photos, true * overconfidence)


def joined(parts: dict[tuple[str, str], Judged]) -> tuple[Judged, list[Photo]]:
    """The answers, and their photos, of parts by framing and source; no framing column where it is empty."""
    photos = [
        Photo("root", f"{source}/{number}.jpg", "", source=source, columns={"framing": framing} if framing else {})
        for (framing, source), part in parts.items()
        for number in range(len(part.codes))
    ]
    return Judged(
        np.concatenate([part.female for part in parts.values()]),
        [code for part in parts.values() for code in part.codes],
        np.concatenate([part.margins for part in parts.values()]),
    ), photos


def wrong_shares(part: Judged, threshold: float) -> Floats:
    """Of the answers at or above the threshold: the wrong ones of each label, and of each answer."""
    given = part.confidence >= threshold
    chosen = (part.female, ~part.female, part.predicted_female, ~part.predicted_female)
    return np.array([(given & mask & ~part.right).sum() / (given & mask).sum() for mask in chosen])


@pytest.mark.parametrize("framing", ["", "face"], ids=["no framings", "one framing"])
def test_the_temperature_is_the_best_for_the_sources_on_average_not_for_the_largest(framing: str) -> None:
    large, small = answers_of(8000, 1.0, seed=0), answers_of(400, 3.0, seed=1)
    judged, photos = joined({(framing, "large"): large, (framing, "small"): small})
    temperature = calibrated(ClassifierDecision(), photos, judged, error_rate=0).temperature
    assert 1.3 < temperature < 2.9

    def mean_loss(at: float) -> float:
        """Mean over sources and labels."""
        parts = [part.only(mask) for part in (large, small) for mask in (part.female, ~part.female)]
        return float(np.mean([negative_log_likelihood(part.margins, part.female, at) for part in parts]))

    assert mean_loss(temperature) < min(mean_loss(temperature * 1.1), mean_loss(temperature / 1.1), mean_loss(1.0))


def test_photos_without_an_answer_change_nothing_and_the_crop_is_kept() -> None:
    judged, photos = joined({("face", "a"): answers_of(2000, 2.0, seed=0)})
    refused, without = joined({("", "b"): Judged(np.ones(50, dtype=bool), [Code.NO_PERSON] * 50, np.full(50, np.nan))})
    both = Judged(np.append(judged.female, refused.female), [*judged.codes, *refused.codes], np.append(judged.margins, refused.margins))
    before = ClassifierDecision(crop_margin=0.1, min_confidence=0.7)
    found = calibrated(before, [*photos, *without], both, error_rate=0.05)
    assert found == calibrated(before, photos, judged, error_rate=0.05)
    assert found.crop_margin == 0.1
    assert 0.5 < found.min_confidence < 1


def test_the_error_rate_is_kept_in_the_worst_framing_and_for_each_label_and_no_more_is_withheld_than_that_takes() -> None:
    parts = {("face", "a"): answers_of(6000, 1.0, seed=2), ("body", "b"): answers_of(1500, 2.0, seed=3)}
    judged, photos = joined(parts)
    framings, sources = (np.array(names) for names in zip(*((photo.columns["framing"], photo.source) for photo in photos), strict=True))
    alone = fit_min_confidence(parts["face", "a"], framings[:6000], sources[:6000], 0.05)
    both = fit_min_confidence(judged, framings, sources, 0.05)
    assert alone < both

    # Labels are almost equally many, so that their weights hardly change these shares.
    assert max(wrong_shares(part, both).max() for part in parts.values()) < 0.055
    assert wrong_shares(parts["body", "b"], both - 0.02).max() > 0.05


def test_women_who_are_taken_for_men_are_not_hidden_by_the_answers_about_men() -> None:
    """All answers about men are right; of those about women, the less sure tenth is wrong."""
    margins = np.append(np.linspace(-1, 9, 200), np.linspace(-9, -0.2, 2000))
    judged = Judged(np.arange(2200) < 200, [Code.OK] * 2200, margins)
    names = np.array(["one"] * 2200)
    assert judged.right[200:].all()
    assert judged.right[:200].mean() == 0.9
    threshold = fit_min_confidence(judged, names, names, 0.02)
    assert (~judged.right).mean() < 0.02  # pooled, every answer could be given
    assert wrong_shares(judged, threshold)[0] <= 0.02 < wrong_shares(judged, threshold - 0.02)[0]


def test_framings_of_few_photos_are_judged_together() -> None:
    """Alone, either of them is too small to tell anything, and both err at a confidence of about 0.88."""
    good = Judged(np.arange(400) % 2 == 0, [Code.OK] * 400, np.where(np.arange(400) % 2 == 0, 5.0, -5.0))
    female = np.arange(80) % 2 == 0
    margins = np.where(female, 5.0, -5.0)
    margins[:8] = np.where(female[:8], -2.0, 2.0)
    poor = Judged(female, [Code.OK] * 80, margins)
    judged, photos = joined({("face", "a"): good, ("body", "b"): poor, ("scene", "c"): poor})
    framings = np.array([photo.columns["framing"] for photo in photos])
    assert fit_min_confidence(good, framings[:400], framings[:400], 0.02) == 0.0
    assert fit_min_confidence(judged, framings, framings, 0.02) == pytest.approx(0.881)


def test_an_error_rate_that_cannot_be_reached_gives_the_lowest_worst_share_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A tenth of the surest answers is wrong, and all of the least sure ones."""
    female = np.arange(400) % 2 == 0
    wrong = np.where(np.arange(400) < 300, np.arange(400) % 20 < 2, True)
    judged = Judged(female, [Code.OK] * 400, np.where(female != wrong, 1, -1) * np.where(np.arange(400) < 300, 4.0, 1.0))
    names = np.array(["one"] * 400)
    with caplog.at_level(logging.WARNING):
        threshold = fit_min_confidence(judged, names, names, 0.02)
    assert 1 / (1 + np.exp(-1.0)) < threshold < 1 / (1 + np.exp(-4.0))
    assert "no confidence keeps the wrong answers at 2.0 % in every framing" in caplog.text


def test_too_few_answers_to_judge_by_withhold_nothing(caplog: pytest.LogCaptureFixture) -> None:
    names = np.array(["one"] * 8)
    judged = Judged(np.array([True, False] * 4), [Code.OK] * 8, np.array([1.0, 1.0] * 4))
    assert fit_min_confidence(judged, names, names, 0.02) == 0.0
    assert "too few validation photos" in caplog.text


def test_an_error_rate_of_zero_withholds_nothing() -> None:
    judged, photos = joined({("face", "a"): answers_of(2000, 2.0, seed=0)})
    assert calibrated(ClassifierDecision(min_confidence=0.8), photos, judged, error_rate=0).min_confidence == 0.0


def test_an_error_rate_that_cannot_be_reached_costs_no_answers_for_what_chance_may_have_made() -> None:
    """Of the answers about women 5 in 100 are wrong, and of the surer half 2 in 49: no reason to withhold the other half."""
    female = np.arange(200) % 2 == 0
    sureness = np.linspace(1.0, 5.0, 200)
    wrong = np.isin(np.arange(200), [20, 60, 100, 150, 198])
    judged = Judged(female, [Code.OK] * 200, np.where(female != wrong, 1, -1) * sureness)
    names = np.array(["one"] * 200)
    threshold = fit_min_confidence(judged, names, names, 0.02)
    assert (judged.confidence >= threshold).mean() > 0.95

"""Chooses what confidence means, and how much of it an answer needs, on validation photos: `temperature` and `min_confidence`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from serve_app.checkpoints.decision import ClassifierDecision
from tune_training.data.photo import Photo
from tune_training.evaluate.calibration import Bools, Floats, fit_temperature
from tune_training.evaluate.groups import FEWEST_OF_A_LABEL
from tune_training.evaluate.scores import Judged
from tune_training.evaluate.weighting import FEW, Names, balanced_weights, framings_of, sources_of

logger = logging.getLogger(__name__)

ERROR_RATE = 0.02  # of the answers given, unless something else is asked for
THRESHOLDS = np.arange(500, 1000) / 1000  # of two answers, the more probable one has at least 0.5


def calibrated(decision: ClassifierDecision, photos: Sequence[Photo], judged: Judged, error_rate: float) -> ClassifierDecision:
    """The decision with the temperature and `min_confidence` that fit the photos, of which at least one is answered.

    Args:
        decision: what else was decided.
        photos: of the validation split.
        judged: their answers.
        error_rate: see `fit_min_confidence`; 0: every answer is given.
    """
    framings, sources = framings_of(photos)[judged.answered], sources_of(photos)[judged.answered]
    answers = judged.only(judged.answered)
    weights = balanced_weights(framings, sources, answers.female)
    temperature = fit_temperature(answers.margins, answers.female, weights)
    answers = replace(answers, temperature=temperature)
    threshold = fit_min_confidence(answers, framings, sources, error_rate) if error_rate else 0.0
    return decision.model_copy(update={"temperature": temperature, "min_confidence": threshold})


def fit_min_confidence(answers: Judged, framings: Names, sources: Names, error_rate: float) -> float:
    """The lowest confidence from which on at most `error_rate` of the answers are wrong, in every framing and for women and men apart.

    That holds for four shares of each framing, sources and labels weighted alike: the wrong ones among the answers `female`, among the
    answers `male`, among the answers about women, and among those about men. So neither a false `male` nor a missed `male` hides behind
    the easier label. Framings with fewer than `FEWEST_OF_A_LABEL` answers of a label are judged together, or, if that is too few as well,
    together with all others. Where a share would be of fewer than `FEW` answers, a threshold is not considered.

    If no threshold reaches the rate, the log says so, and it is the lowest one whose worst share is within a standard error of the lowest
    there is (Breiman et al. 1984): the share hangs on a few photos then, and to withhold a tenth of all answers for the last of them would
    buy nothing that can be measured. If there are too few answers to consider any threshold, it is 0.

    Args:
        answers: (n,), with the temperature that they are served with; no photo without an answer.
        framings: of the answers, (n,).
        sources: of the answers, (n,).
        error_rate: above 0.

    Returns:
        A multiple of 0.001; 0 if every answer may be given.
    """
    parts = [(answers.only(group), framings[group], sources[group]) for group in _groups(framings, answers.female)]
    found = [pair for part in parts for pair in _wrong_shares(*part)]
    shares, errors = np.array([share for share, _ in found]), np.array([error for _, error in found])
    worst = shares.max(axis=0)
    if not np.isfinite(worst).any():
        logger.warning("min_confidence is 0: too few validation photos of women and men are answered to choose it")
        return 0.0
    allowed = np.flatnonzero(worst <= error_rate + 1e-9)  # sums of weights are inexact
    if len(allowed):
        return _threshold(int(allowed[0]))
    best = int(np.argmin(worst))
    near = int(np.flatnonzero(worst <= worst[best] + errors[shares[:, best].argmax(), best])[0])
    logger.warning(
        "no confidence keeps the wrong answers at %.1f %% in every framing: with %.3f there are fewest in the worst, %.1f %%; %.3f is"
        " chosen, with %.1f %%, which chance may make of it. %.1f %% of all answers are as sure as that",
        100 * error_rate,
        _threshold(best),
        100 * worst[best],
        _threshold(near),
        100 * worst[near],
        100 * (answers.confidence >= THRESHOLDS[near]).mean(),
    )
    return _threshold(near)


def _threshold(index: int) -> float:
    return float(THRESHOLDS[index]) if index else 0.0


def _groups(framings: Names, female: Bools) -> list[Bools]:
    """Masks of the answers that are judged together."""
    groups, rest = [], np.zeros(len(framings), dtype=bool)
    for framing in np.unique(framings):
        inside = framings == framing
        if _is_enough(female[inside]):
            groups.append(inside)
        else:
            rest |= inside
    if rest.any():
        groups.append(rest if _is_enough(female[rest]) else np.ones_like(rest))
    return groups


def _is_enough(female: Bools) -> bool:
    return bool(min(female.sum(), (~female).sum()) >= FEWEST_OF_A_LABEL)


def _wrong_shares(answers: Judged, framings: Names, sources: Names) -> Iterator[tuple[Floats, Floats]]:
    """The four shares of wrong answers at or above each of `THRESHOLDS`, each with its standard error.

    A share of fewer than `FEW` answers is infinite. The error is that of a weighted mean, by the effective number of answers (Kish 1965).
    """
    weights = balanced_weights(framings, sources, answers.female)
    reached = np.searchsorted(THRESHOLDS, answers.confidence, side="right") - 1  # the highest threshold that an answer reaches

    def kept(values: Floats) -> Floats:
        totals: Floats = np.bincount(reached, values, minlength=len(THRESHOLDS))[::-1].cumsum()[::-1]
        return totals

    for chosen in (answers.female, ~answers.female, answers.predicted_female, ~answers.predicted_female):
        given, wrong = kept(weights * chosen), kept(weights * (chosen & ~answers.right))
        few = kept(chosen.astype(np.float64)) < FEW
        share = wrong / np.where(few, 1.0, given)
        number = given**2 / np.where(few, 1.0, kept(weights**2 * chosen))
        error = np.sqrt(share * (1 - share).clip(min=0) / np.where(few, 1.0, number))
        yield np.where(few, np.inf, share), np.where(few, 0.0, error)

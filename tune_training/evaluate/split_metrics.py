"""The metrics of one split: of all its photos, with all sources counting the same, and by group."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tune_training.data.grouping import AGE
from tune_training.data.photo import Photo
from tune_training.data.table import SOURCE
from tune_training.evaluate.calibration import negative_log_likelihood, reliability
from tune_training.evaluate.groups import RACE, by_group, group_columns, recalls_by_label
from tune_training.evaluate.mean_scores import framing_scores, mean_scores
from tune_training.evaluate.metrics_file import Metrics
from tune_training.evaluate.risk_coverage import selective_metrics
from tune_training.evaluate.scores import DRAWS, Judged, calibration_error, scores
from tune_training.evaluate.sure_answers import errors_when_sure
from tune_training.evaluate.weighting import balanced_weights, framings_of, sources_of
from tune_training.io.errors import InputError

RECALL_COLUMNS = {AGE, RACE}  # the recall of each label is compared between their groups


def split_metrics(
    photos: Sequence[Photo],
    judged: Judged,
    validation: Judged | None,
    min_confidence: float,
    error_rate: float,
    by: Sequence[str] | None,
    draws: int = DRAWS,
) -> Metrics:
    """`scores`, calibration, risk and coverage, the scores in which all sources count the same, and the scores by group.

    Args:
        photos: of the split.
        judged: their answers.
        validation: the answers that a threshold for the error rate is chosen on if there is no `min_confidence`.
        min_confidence: what an answer is served with; 0: every answer is given.
        error_rate: the share of wrong answers that is aimed at.
        by: columns to group by; None: see `group_columns`.
        draws: of the bootstrap.

    Raises:
        InputError: there is no such column.
    """
    metrics = scores(judged, draws) | {"photos_sha256": _digest(photos)}
    threshold = None
    if judged.answered.any():
        metrics |= _answer_metrics(photos, judged, draws)
        metrics["risk_coverage"] = selective_metrics(judged, validation, error_rate, min_confidence)
        threshold = metrics["risk_coverage"]["threshold"]
    names = {name for photo in photos for name in photo.columns}
    columns = {SOURCE: [photo.source for photo in photos]}
    columns |= {name: [photo.columns.get(name, "") for photo in photos] for name in sorted(names)}
    if unknown := sorted(set(by or ()) - columns.keys()):
        raise InputError(f"there is no column {', '.join(unknown)}, only {', '.join(columns)}")
    metrics["by"] = {name: by_group(judged, groups, draws, threshold) for name, groups in group_columns(columns, by).items()}
    for column in RECALL_COLUMNS & metrics["by"].keys():
        metrics["by"][column]["recalls"] = recalls_by_label(metrics["by"][column]["groups"])
    return metrics


def _answer_metrics(photos: Sequence[Photo], judged: Judged, draws: int) -> Metrics:
    framings, sources = framings_of(photos)[judged.answered], sources_of(photos)[judged.answered]
    answers = judged.only(judged.answered)
    weights = balanced_weights(framings, sources, answers.female)
    calibration = {
        name: {
            "temperature": each.temperature,
            "ece": calibration_error(each, draws),
            "negative_log_likelihood": negative_log_likelihood(each.margins, each.female, each.temperature, weights),
            "reliability": reliability(each.confidence, each.right),
        }
        for name, each in (("before", replace(answers, temperature=1.0)), ("after", answers))
    }
    return {
        **mean_scores(answers, framings, sources, draws),
        "calibration": calibration,
        "framings": framing_scores(answers, framings, sources, draws),
        "errors_when_sure": errors_when_sure(answers),
    }


def _digest(photos: Sequence[Photo]) -> str:
    """A digest of labels and contents, in any order: equal for data sets whose metrics can be compared."""
    lines = sorted(f"{photo.sha256 or photo.name.rpartition('/')[2]} {photo.label}" for photo in photos)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

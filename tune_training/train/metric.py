"""The metrics of the validation split, and which end of each is better."""

from collections.abc import Mapping
from enum import StrEnum


class Metric(StrEnum):
    """What trials and epochs are compared by."""

    BALANCED_ACCURACY = "balanced_accuracy"
    MEAN_OVER_SOURCES = "mean_over_sources"
    ACCURACY = "accuracy"
    ROC_AUC = "roc_auc"
    LOSS = "loss"


METRICS: Mapping[str, str] = {each.value: "min" if each is Metric.LOSS else "max" for each in Metric}  # as Ray Tune writes it

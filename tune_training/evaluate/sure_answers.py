"""Whether the surest answers are as right as they say: the errors that their confidence promises, and those that are observed."""

from tune_training.evaluate.scores import Judged, Metrics, share

SURE = 0.9  # confidence


def errors_when_sure(judged: Judged) -> Metrics:
    """The errors among the answers with a confidence of at least `SURE`, for women and men (by label) apart.

    Returns:
        `confidence`, and `by_label` for the labels that have such answers: their number, the `promised` share of wrong ones, which is the
        mean of 1 - confidence, and the `observed` share, an `Estimate`.
    """
    by_label = {}
    for label, photos in judged.by_label.items():
        sure = photos.only(photos.answered & (photos.confidence >= SURE))
        if count := len(sure.codes):
            wrong = share(count - int(sure.right.sum()), count)
            by_label[label] = {"answers": count, "promised": float(1 - sure.confidence.mean()), "observed": wrong}
    return {"confidence": SURE, "by_label": by_label}

"""Photos that are left out of a data set, each with its reason."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a photo is left out, besides the codes of serving (`serve_app.codes`)."""

    UNLABELLED = "unlabelled"
    MISSING = "missing"
    TOO_SMALL = "too_small"
    CONFLICTING_LABELS = "conflicting_labels"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CORRECTED = "corrected"


@dataclass(frozen=True)
class Reject:
    """A photo that is left out.

    Attributes:
        uri: relative to the source.
        reason: a `Reason`, or a code of serving.
        detail: specifics of this case; may be empty.
    """

    uri: str
    reason: str
    detail: str = ""


def rejects_csv(rejects: Sequence[Reject]) -> bytes:
    """The content of `rejects.csv`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["uri", "reason", "detail"])
    writer.writerows([each.uri, each.reason, each.detail] for each in rejects)
    return text.getvalue().encode(errors="backslashreplace")  # a name may hold bytes that are no UTF-8

"""Photos that are left out of a data set, each with its reason."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a photo is left out, besides the codes of serving (`serve_app.codes`)."""

    UNLABELLED = "unlabelled"
    UNKNOWN_LABEL = "unknown_label"
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


def words_not_understood(rejects: Sequence[Reject], most: int = 5) -> str:
    """How many photos have words for labels that are not known, in a table or as folders, by word, the commonest first."""
    words = Counter(reject.detail for reject in rejects if reject.reason == Reason.UNKNOWN_LABEL)
    others = sum(words.values()) - sum(count for _, count in words.most_common(most))
    named = [f"{count} {word!r}" for word, count in words.most_common(most)]
    return ", ".join([*named, *([f"{others} others"] if others else [])])


def rejects_csv(rejects: Sequence[Reject]) -> bytes:
    """The content of `rejects.csv`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["uri", "reason", "detail"])
    writer.writerows([each.uri, each.reason, each.detail] for each in rejects)
    return text.getvalue().encode(errors="backslashreplace")  # a name may hold bytes that are no UTF-8

"""Corrections of a data set's labels, in a table that a person has gone through: `label-noise` proposes one.

Its columns are those of any table (see `read_table`), of which path and label count: the photo has this label, or is left out for `drop`.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from serve_app.runtimes.base import LABELS
from tune_training.data.labelling import name_below
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject
from tune_training.data.table import read_table
from tune_training.data.words import LabelWords

logger = logging.getLogger(__name__)

DROP = "drop"  # instead of a label: the photo is left out


def read_corrections(
    root: str, names: Sequence[str], table: str, words: LabelWords | None = None
) -> tuple[Mapping[str, str], Mapping[str, Reject]]:
    """The label, or `DROP`, of each photo that the table corrects; its paths are relative to `root`, or absolute.

    Args:
        root: folder or s3:// prefix of the photos.
        names: of all files below it.
        table: local or s3://.
        words: for labels, if not the usual ones.

    Returns:
        Labels by name; and by name, what cannot be followed: the photo is not there, what is said is no label, or two things are said.

    Raises:
        InputError: the table cannot be read, has no rows or lacks a column.
    """
    there = set(names)
    found: dict[str, str] = {}
    rejects: dict[str, Reject] = {}
    for row in read_table(table, words):
        name = name_below(root, row.path)
        if name not in there:
            rejects[name] = Reject(name, Reason.MISSING, "it is in the corrections only")
        elif row.label not in (*LABELS, DROP):
            rejects[name] = Reject(name, Reason.UNLABELLED, f"the corrections say {row.label!r}")
        elif found.setdefault(name, row.label) != row.label:
            rejects[name] = Reject(name, Reason.CONFLICTING_LABELS, "the corrections have it twice")
    return {name: label for name, label in found.items() if name not in rejects}, rejects


def corrected(photos: Sequence[Photo], corrections: Mapping[str, str]) -> tuple[list[Photo], list[Reject]]:
    """The photos with their corrected labels, and those that are dropped.

    A correction is about what the photo shows, so it also holds for the same file under other names: otherwise a copy would contradict
    the corrected photo, or take the place of the dropped one. What the corrections say of a name itself comes first.
    """
    by_content = {photo.sha256: corrections[photo.name] for photo in photos if photo.name in corrections and photo.sha256}
    kept, rejects = [], []
    changed: Counter[str] = Counter()
    for photo in photos:
        label = corrections.get(photo.name) or by_content.get(photo.sha256, photo.label)
        if label == DROP:
            rejects.append(Reject(photo.name, Reason.CORRECTED, "the corrections drop it"))
        else:
            kept.append(replace(photo, label=label))
            changed[label] += label != photo.label
    logger.info("corrections: %s, %d photos dropped", ", ".join(f"{changed[label]} are now {label}" for label in LABELS), len(rejects))
    return kept, rejects

"""Folds: parts of the photos that are left out of training in turn, so that each photo is judged by a model that has not seen it.

Photos that belong together (near-duplicates, and those of one name in the columns `group` or `identity`) are in one fold, and each fold has
about its share of each label. Who is in which fold follows from the photos' contents, not from their order.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.base import LABELS
from tune_training.data.near_duplicates import groups_of, near_pairs
from tune_training.data.photo import Photo
from tune_training.data.splitting import linked_by_name
from tune_training.io.errors import InputError

Ints = NDArray[np.int64]


def near_duplicate_groups(photos: Sequence[Photo]) -> Ints:
    """A number (n,) for each photo, the same for near-duplicates and for photos of one group or identity."""
    known = [index for index, photo in enumerate(photos) if photo.phash]
    pairs = [(known[first], known[second]) for first, second in near_pairs([photos[index].phash for index in known])]
    return np.array(groups_of(len(photos), [*pairs, *linked_by_name(photos)]), dtype=np.int64)


def check_labels(name: str, photos: Sequence[Photo], groups: Ints, folds: int) -> None:
    """Raises an InputError if a label has too few photos to be left out in turn."""
    for label in LABELS:
        count = len({group for photo, group in zip(photos, groups.tolist(), strict=True) if photo.label == label})
        if count < folds:
            raise InputError(f"{name}: {folds} different photos of {label!r} are needed at least, and there are {count}")


def folds_of(name: str, photos: Sequence[Photo], folds: int, seed: int) -> Ints:
    """The fold (n,) of each photo, from 0.

    Args:
        name: of the data set, for errors.
        photos: n of them.
        folds: how many; 2 or more.
        seed: of what is drawn; with another one, the folds are others.

    Raises:
        InputError: there are too few different photos of a label.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes seconds, which `--help` and a wrong option save

    groups = near_duplicate_groups(photos)
    check_labels(name, photos, groups, folds)
    rank = {group: number for number, group in enumerate(sorted(set(groups.tolist()), key=_digests(photos, groups, seed).__getitem__))}
    ranks = np.array([rank[group] for group in groups.tolist()], dtype=np.int64)
    labels = np.array([LABELS.index(photo.label) for photo in photos], dtype=np.int64)
    found = np.empty(len(photos), dtype=np.int64)
    # Groups are dealt out in the order of their ranks, and thus of their hashes, where they are equally mixed.
    for fold, (_, left_out) in enumerate(StratifiedGroupKFold(folds).split(labels, labels, ranks)):
        if len(set(labels[left_out].tolist())) < len(LABELS):
            raise InputError(f"{name}: with {folds} folds, one of them would have a single label, so large are the groups. Try fewer folds")
        found[left_out] = fold
    return found


def _digests(photos: Sequence[Photo], groups: Ints, seed: int) -> dict[int, bytes]:
    """Of each group, the lowest hash of its photos."""
    digests: dict[int, bytes] = {}
    for photo, group in zip(photos, groups.tolist(), strict=True):
        digest = hashlib.sha256(f"{seed} {photo.sha256 or photo.name}".encode()).digest()
        digests[group] = min(digests.get(group, digest), digest)
    return digests

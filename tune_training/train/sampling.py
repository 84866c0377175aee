"""Which photos are drawn: by source and label, for an epoch or for a smaller search."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tune_training.data.grouping import grouping
from tune_training.data.photo import Photo
from tune_training.data.table import SOURCE

MOST_FAVOURED = 10.0  # times; a handful of photos must not be learned by heart to balance a large group


def stratified_subset(photos: Sequence[Photo], count: int, seed: int) -> list[Photo]:
    """`count` of the photos, in their order: a proportional share of each source and label, at least one; seeded."""
    if count >= len(photos):
        return list(photos)
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[int]] = {}
    for index in rng.permutation(len(photos)):
        groups.setdefault((photos[index].source, photos[index].label), []).append(int(index))
    # A photo's rank within its group, as a share of the group: taking the lowest takes the same share of all groups.
    ranks = [((rank + 0.5) / len(group), rank > 0, index) for group in groups.values() for rank, index in enumerate(group)]
    chosen = sorted(ranks, key=lambda rank: (rank[1], rank[0]))[:count]
    return [photos[index] for index in sorted(index for *_, index in chosen)]


def sampling_weights(photos: Sequence[Photo], source_power: float, balance: Sequence[str] = (SOURCE,)) -> NDArray[np.float64]:
    """Probability (n,) of each photo to be drawn: sources by (their size ** source_power), and labels balanced within groups.

    Args:
        photos: n of them.
        source_power: 1 leaves the sources as they are, 0 makes them equal.
        balance: columns within whose groups, of each source, both labels are equally likely; the groups keep their shares. A collection
            where most people above fifty are men teaches that wrinkles are male, unless its labels are balanced by age as well. No
            column: labels as they are. A photo is drawn at most `MOST_FAVOURED` times as often as without balance.
    """
    strata = list(zip((photo.source for photo in photos), *(_groups(photos, column) for column in balance), strict=True))
    labels = [photo.label for photo in photos]
    sources = Counter(photo.source for photo in photos)
    in_stratum = Counter(strata)
    with_label = Counter(zip(strata, labels, strict=True))
    labels_of = Counter(stratum for stratum, _ in with_label)
    weights = np.array(
        [
            sources[stratum[0]] ** (source_power - 1)
            * (min(in_stratum[stratum] / labels_of[stratum] / with_label[stratum, label], MOST_FAVOURED) if balance else 1.0)
            for stratum, label in zip(strata, labels, strict=True)
        ],
        dtype=np.float64,
    )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _groups(photos: Sequence[Photo], column: str) -> list[str]:
    """The group of each photo; those of unknown group are one."""
    if column == SOURCE:
        return [photo.source for photo in photos]
    groups: list[str] = grouping(column, [photo.columns.get(column, "") for photo in photos]).tolist()
    return groups

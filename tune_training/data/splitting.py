"""Which photos are trained on, which are chosen by, and which are kept to judge with at the end."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from tune_training.data.manifest import TEST, TRAIN, VAL


def assign_splits(strata: Sequence[tuple[str, str]], groups: Sequence[int], shares: Mapping[str, float], seed: int) -> list[str]:
    """A split for each photo, such that each stratum is divided by the shares and each group stays together.

    Args:
        strata: (label, source) of each photo.
        groups: a number for each photo; near-duplicates have the same.
        shares: of the photos, by split; they add up to 1.
        seed: the same one gives the same splits.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    by_stratum: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for group in sorted(members):
        by_stratum[strata[members[group][0]]].append(members[group])
    splits = [""] * len(strata)
    # What a label's small sources leave over of a share goes on to its next source, or all of them would be trained on.
    owed: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(shares, 0.0))
    for (label, source), clusters in sorted(by_stratum.items()):
        rng = np.random.default_rng([seed, *f"{label} {source}".encode()])
        shuffled = [clusters[index] for index in rng.permutation(len(clusters))]
        wanted = owed[label]
        for split, share in shares.items():
            wanted[split] += share * sum(map(len, clusters))
        for cluster in sorted(shuffled, key=len, reverse=True):  # large ones first: they fit in fewer places
            chosen = max(shares, key=wanted.__getitem__)
            wanted[chosen] -= len(cluster)
            for index in cluster:
                splits[index] = chosen
    return splits


def training_side(first: str, second: str) -> str:
    """Of two splits that share a photo, the one that has to give it up: training before validation, validation before what judges."""
    order = {TRAIN: 0, VAL: 1, TEST: 2}
    return min(first, second, key=lambda split: order.get(split, 2))

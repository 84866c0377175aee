"""The splits: which photos train, which validate, and which are kept for the final test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tune_training.data.manifest import TEST, TRAIN, VAL
from tune_training.data.near_duplicates import groups_of
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject


def split_photos(
    photos: Sequence[Photo], pairs: Sequence[tuple[int, int]], val_share: float, test_share: float, seed: int
) -> tuple[list[Photo], list[Reject]]:
    """Splits the photos that have no split yet; of near-duplicates in different given splits, leaves out those on the side of training.

    Args:
        photos: of the whole data set.
        pairs: indices of near-duplicates.
        val_share: share of the validation split, of the photos without a given split; likewise `test_share`. The rest is for training.
        seed: of the split.
    """
    groups = groups_of(len(photos), pairs)
    given: dict[int, str] = {}
    for photo, group in zip(photos, groups, strict=True):
        if split := photo.split:
            known = given.setdefault(group, split)
            given[group] = split if training_side(known, split) == known else known
    free = [index for index, photo in enumerate(photos) if not photo.split and groups[index] not in given]
    strata = [(photos[index].label, photos[index].source) for index in free]
    shares = {TRAIN: 1 - val_share - test_share, VAL: val_share, TEST: test_share}
    drawn = assign_splits(strata, [groups[index] for index in free], {name: share for name, share in shares.items() if share}, seed)
    by_index = dict(zip(free, drawn, strict=True))
    placed = [
        replace(photo, split=photo.split or by_index.get(index) or given[group])
        for index, (photo, group) in enumerate(zip(photos, groups, strict=True))
    ]
    dropped: dict[int, Reject] = {}
    for pair in pairs:
        splits = [placed[index].split for index in pair]
        if splits[0] != splits[1]:
            loser, winner = pair if training_side(*splits) == splits[0] else pair[::-1]
            detail = f"looks like {placed[winner].name} of the split {placed[winner].split}"
            dropped[loser] = Reject(placed[loser].name, Reason.NEAR_DUPLICATE, detail)
    return [photo for index, photo in enumerate(placed) if index not in dropped], list(dropped.values())


def assign_splits(strata: Sequence[tuple[str, str]], groups: Sequence[int], shares: Mapping[str, float], seed: int) -> list[str]:
    """A split for each photo: every stratum is divided by the shares, and every group stays together.

    Args:
        strata: (label, source) of each photo.
        groups: a number for each photo; near-duplicates have the same.
        shares: of the photos, by split; they add up to 1.
        seed: the same seed gives the same splits.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    by_stratum: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for group in sorted(members):
        by_stratum[strata[members[group][0]]].append(members[group])
    splits = [""] * len(strata)
    # What a label's small sources leave of a share carries over to its next source; otherwise all of them would end up in training.
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
    """Of two splits that share a photo, the one that must give it up: train before val, val before any other."""
    order = {TRAIN: 0, VAL: 1, TEST: 2}
    return min(first, second, key=lambda split: order.get(split, 2))

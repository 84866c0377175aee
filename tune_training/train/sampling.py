"""Which photos are drawn: by source and label, for an epoch or for a smaller search."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tune_training.data.photo import Photo


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


def sampling_weights(photos: Sequence[Photo], source_power: float) -> NDArray[np.float64]:
    """Probability (n,) of each photo to be drawn: labels balanced within each source, sources by (their size ** source_power).

    A power of 1 leaves the sources as they are, 0 makes them equal.
    """
    groups = Counter((photo.source, photo.label) for photo in photos)
    sources = Counter(photo.source for photo in photos)
    labels_of = Counter(source for source, _ in groups)
    weights = np.array(
        [sources[photo.source] ** source_power / labels_of[photo.source] / groups[photo.source, photo.label] for photo in photos],
        dtype=np.float64,
    )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares

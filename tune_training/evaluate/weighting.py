"""Weights that make kinds of photos count the same, however many photos there are of each.

Most photos of a data set may come from one large collection. What is chosen or measured on all of them pooled is then chosen for that
collection, and may be worse for every other. So framings (face, whole body, ...) count equally, the sources within a framing equally, and
the labels within a source equally.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tune_training.data.photo import Photo
from tune_training.evaluate.calibration import Floats

FRAMING = "framing"  # a column of the table: how much of the person is seen
NO_FRAMING = "not given"
FEW = 20  # answers; a share of fewer says little

Names = NDArray[np.str_]


def framings_of(photos: Sequence[Photo]) -> Names:
    """The framing of each photo; `NO_FRAMING` where the table does not say."""
    return np.array([photo.columns.get(FRAMING) or NO_FRAMING for photo in photos], dtype=np.str_)


def sources_of(photos: Sequence[Photo]) -> Names:
    """The source of each photo."""
    return np.array([photo.source for photo in photos], dtype=np.str_)


def balanced_weights(*levels: NDArray[np.str_] | NDArray[np.bool_]) -> Floats:
    """The weight of each photo; the sum is 1.

    Each part of a level gets the same share of the part of the level above that it is in. A part of fewer than `FEW` photos gets less, in
    proportion to its photos: one photo of an otherwise absent kind must not count like hundreds of others.

    Args:
        levels: the part that each photo belongs to, (n,), from the coarsest level to the finest: framing, source, label.
    """
    names, *finer = levels
    values, counts = np.unique(names, return_counts=True)
    shares = np.minimum(counts, FEW) / np.minimum(counts, FEW).sum()
    weights = np.zeros(len(names))
    for value, count, share in zip(values, counts, shares, strict=True):
        inside = names == value
        weights[inside] = share * (balanced_weights(*(level[inside] for level in finer)) if finer else 1 / count)
    return weights

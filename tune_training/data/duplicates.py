"""Copies of a photo in a data set: the same file under several names, and photos that look alike but are labelled differently."""

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from tune_training.data.near_duplicates import near_pairs
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject
from tune_training.data.splitting import training_side


def without_duplicates(photos: Sequence[Photo]) -> tuple[list[Photo], list[tuple[int, int]], list[Reject]]:
    """Leaves out all but one of equal files, and photos whose copies or near-duplicates have another label.

    Returns:
        The remaining photos by name, the index pairs of near-duplicates among them, and the rejects.
    """
    unique, rejects = _without_copies(photos)
    pairs = list(near_pairs([photo.phash for photo in unique]))
    conflicting: dict[int, int] = {}
    for first, second in pairs:
        if unique[first].label != unique[second].label:
            conflicting[first], conflicting[second] = second, first
    rejects += [
        Reject(unique[index].name, Reason.CONFLICTING_LABELS, f"looks like {unique[other].name}") for index, other in conflicting.items()
    ]
    left = [index for index in range(len(unique)) if index not in conflicting]
    new = {old: index for index, old in enumerate(left)}
    return (
        [unique[index] for index in left],
        [(new[first], new[second]) for first, second in pairs if first in new and second in new],
        rejects,
    )


def _without_copies(photos: Sequence[Photo]) -> tuple[list[Photo], list[Reject]]:
    by_content: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_content[photo.sha256].append(photo)
    unique: list[Photo] = []
    rejects: list[Reject] = []
    for copies in by_content.values():
        if len({photo.label for photo in copies}) > 1:
            rejects += [Reject(each.name, Reason.CONFLICTING_LABELS, f"the same file as {_contradicting(each, copies)}") for each in copies]
            continue
        kept = reduce(_kept_of, copies)
        unique.append(kept)
        rejects += [Reject(each.name, Reason.DUPLICATE, f"the same file as {kept.name}") for each in copies if each is not kept]
    return sorted(unique, key=lambda photo: photo.name), rejects


def _kept_of(kept: Photo, other: Photo) -> Photo:
    """Of copies in different given splits, the one that is not trained on."""
    return kept if training_side(kept.split, other.split) == other.split else other


def _contradicting(photo: Photo, copies: Sequence[Photo]) -> str:
    return next(each.name for each in copies if each.label != photo.label)

"""The splits: which photos train, which validate, and which are kept for the final test.

Each photo's split is drawn by a hash of what stays the same for ever: of its name in the column `group` (or else `identity`), so that all
photos of that name are together, or else of the file's content. Other photos have no say in it, so it does not change when photos are
added, and the shares are approximate.

Look-alikes must not lie on both sides. Of each group of them, one photo decides (a given split, or else the lowest hash), and those whose
own split is another one are left out. A group that grows can thus change which of its photos are used, but never moves one of them.

What can still move: a label none of whose photos falls into val or test gets a stand-in there, the training photo whose hash comes
nearest, until another photo falls into it. With shares of 0.1 that happens to one in two hundred labels of fifty photos, and to one in
eight of twenty. Another seed, other shares, names or edited files draw anew, and so does a given split where none was.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tune_training.data.manifest import TEST, TRAIN, VAL
from tune_training.data.near_duplicates import groups_of
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason, Reject

logger = logging.getLogger(__name__)

NAME_COLUMNS = ("group", "identity")  # of photos that belong together; the first that is filled counts


def split_photos(
    photos: Sequence[Photo], pairs: Sequence[tuple[int, int]], val_share: float, test_share: float, seed: int
) -> tuple[list[Photo], list[Reject]]:
    """Splits the photos that have no split yet; of look-alikes in different splits, leaves out all but those of one.

    If all photos have a split and none is called val (or test), it is drawn from those of train.

    Args:
        photos: of the whole data set.
        pairs: indices of near-duplicates.
        val_share: share of the validation split, of the photos without a given split; likewise `test_share`. The rest is for training.
        seed: of the split.
    """
    given = _given(photos)
    shares = {split: share for split, share in ((VAL, val_share), (TEST, test_share)) if share}
    if all(given) and (missing := {split: share for split, share in shares.items() if split not in given}):
        logger.info("no photo is given the split %s: it is drawn from those of %s", " or ".join(missing), TRAIN)
        given, shares = ["" if split == TRAIN else split for split in given], missing
    drawn = [_Draw.of(photo, seed) for photo in photos]
    own = [split or draw.split(shares) for split, draw in zip(given, drawn, strict=True)]
    deciding = _deciding(given, own, drawn, groups_of(len(photos), pairs))
    left_out = {index: decider for index, decider in enumerate(deciding) if not given[index] and own[index] != own[decider]}
    for pair in pairs:
        first, second = pair
        if left_out.keys().isdisjoint(pair) and own[first] != own[second]:  # two given splits
            loser, winner = pair if training_side(own[first], own[second]) == own[first] else pair[::-1]
            left_out[loser] = winner
    kept = [index for index in range(len(photos)) if index not in left_out]
    _stand_in(photos, kept, own, given, drawn, pairs, shares)
    rejects = [
        Reject(photos[index].name, Reason.NEAR_DUPLICATE, f"looks like {photos[other].name} of the split {own[other]}")
        for index, other in left_out.items()
    ]
    return [replace(photos[index], split=own[index]) for index in kept], rejects


def linked_by_name(photos: Sequence[Photo]) -> Iterator[tuple[int, int]]:
    """Index pairs that connect all photos of the same name in `NAME_COLUMNS`."""
    first: dict[str, int] = {}
    for index, photo in enumerate(photos):
        if name := _name(photo):
            yield first.setdefault(name, index), index


def training_side(first: str, second: str) -> str:
    """Of two splits that share a photo, the one that must give it up: train before val, val before any other."""
    return min(first, second, key=_held_out)


def _held_out(split: str) -> int:
    return {TRAIN: 0, VAL: 1}.get(split, 2)


@dataclass(frozen=True)
class _Draw:
    """What the hash of a photo's name or content says.

    Attributes:
        place: in [0, 1): below the share of test it is test, in the last part it is val.
        rank: independent of it; of look-alikes, the lowest decides.
    """

    place: float
    rank: bytes

    @classmethod
    def of(cls, photo: Photo, seed: int) -> "_Draw":
        digest = hashlib.sha256(f"{seed} {_name(photo) or photo.sha256}".encode()).digest()
        return cls(int.from_bytes(digest[:6]) / 2**48, digest[6:])

    def split(self, shares: Mapping[str, float]) -> str:
        if self.place < shares.get(TEST, 0):
            return TEST
        return VAL if self.place >= 1 - shares.get(VAL, 0) else TRAIN


def _name(photo: Photo) -> str:
    return next((f"{column} {photo.columns[column]}" for column in NAME_COLUMNS if photo.columns.get(column)), "")


def _given(photos: Sequence[Photo]) -> list[str]:
    """The split that each photo's source says, or that it says of others of the same name; of several, the one farthest from training."""
    by_name: dict[str, str] = {}
    for photo in photos:
        if photo.split and (name := _name(photo)):
            by_name[name] = max(by_name.get(name, photo.split), photo.split, key=_held_out)
    return [photo.split or by_name.get(_name(photo), "") for photo in photos]


def _deciding(given: Sequence[str], own: Sequence[str], drawn: Sequence[_Draw], groups: Sequence[int]) -> list[int]:
    """For each photo, the one that decides on its group of look-alikes."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    deciding: dict[int, int] = {}
    for group, alike in members.items():
        fixed = [index for index in alike if given[index]]
        deciding[group] = max(fixed, key=lambda index: _held_out(own[index])) if fixed else min(alike, key=lambda index: drawn[index].rank)
    return [deciding[group] for group in groups]


def _stand_in(
    photos: Sequence[Photo],
    kept: Sequence[int],
    own: list[str],
    given: Sequence[str],
    drawn: Sequence[_Draw],
    pairs: Sequence[tuple[int, int]],
    shares: Mapping[str, float],
) -> None:
    """Changes `own` of few photos, so that each label is in each split where it has enough photos; what belongs together stays so."""
    together = groups_of(len(photos), [*pairs, *linked_by_name(photos)])
    clusters: dict[int, list[int]] = defaultdict(list)
    for index in kept:
        clusters[together[index]].append(index)
    for label in sorted({photo.label for photo in photos}):
        for split in (each for each in (VAL, TEST) if each in shares):
            if any(own[index] == split and photos[index].label == label for index in kept):
                continue
            training = [index for index in kept if own[index] == TRAIN and photos[index].label == label]
            movable = {
                together[index]: drawn[index].place
                for index in training
                if all(own[each] == TRAIN and not given[each] for each in clusters[together[index]])
            }
            if len({together[index] for index in training}) < 2 or not movable:
                continue
            chosen = (max if split == VAL else min)(movable, key=movable.__getitem__)
            for index in clusters[chosen]:
                own[index] = split
            logger.info("no %s photo falls into %s: %s stands in until one does", label, split, photos[clusters[chosen][0]].name)

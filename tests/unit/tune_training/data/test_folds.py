"""Who is left out with whom."""

from dataclasses import replace

import numpy as np
import pytest

from serve_app.runtimes.base import FEMALE, MALE
from tune_training.data.folds import folds_of, near_duplicate_groups
from tune_training.data.photo import Photo
from tune_training.io.errors import InputError

PHOTOS = [Photo("photos", f"{number}.jpg", FEMALE if number < 24 else MALE, sha256=str(number)) for number in range(64)]


def test_each_fold_has_its_share_of_each_label() -> None:
    folds = folds_of("mine", PHOTOS, 4, seed=0)
    assert np.bincount(folds[:24]).tolist() == [6] * 4
    assert np.bincount(folds[24:]).tolist() == [10] * 4


def test_near_duplicates_and_photos_of_one_name_are_in_one_fold() -> None:
    photos = [
        replace(photo, phash=f"{number % 16:x}" * 64 if number < 32 else "", columns={"identity": f"p{number % 8}" if number >= 32 else ""})
        for number, photo in enumerate(PHOTOS)
    ]
    groups, folds = near_duplicate_groups(photos), folds_of("mine", photos, 3, seed=0)
    assert len(set(groups.tolist())) < len(photos) / 2
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1


def test_the_folds_follow_from_the_contents_and_the_seed_alone() -> None:
    folds = {photo.sha256: fold for photo, fold in zip(PHOTOS, folds_of("mine", PHOTOS, 4, seed=0).tolist(), strict=True)}
    turned = [replace(photo, name=f"other/{photo.name}") for photo in reversed(PHOTOS)]
    assert folds == {photo.sha256: fold for photo, fold in zip(turned, folds_of("mine", turned, 4, seed=0).tolist(), strict=True)}
    assert list(folds.values()) != folds_of("mine", PHOTOS, 4, seed=1).tolist()


def test_too_few_different_photos_of_a_label_are_refused() -> None:
    alike = [replace(photo, columns={"group": "one"} if photo.label == FEMALE else {}) for photo in PHOTOS]
    with pytest.raises(InputError, match="mine: 2 different photos of 'female' are needed at least, and there are 1"):
        folds_of("mine", alike, 2, seed=0)


def test_near_duplicates_are_told_by_their_hashes() -> None:
    photos = [Photo("photos", name, MALE, phash=phash) for name, phash in (("a", "0" * 64), ("b", ""), ("c", "1" + "0" * 63), ("d", ""))]
    assert near_duplicate_groups(photos).tolist() == [0, 1, 0, 3]
    same = [replace(photo, columns={"identity": "ann" if photo.name in "ad" else ""}) for photo in photos]
    assert near_duplicate_groups(same).tolist() == [0, 1, 0, 0]

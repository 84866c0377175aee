"""Splits are stratified by label and source, keep groups together, and depend only on the seed."""

from collections import Counter

import pytest

from tune_training.data.splitting import assign_splits, training_side

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_each_label_of_each_source_is_divided_by_the_shares() -> None:
    strata = [("male", "a")] * 100 + [("female", "a")] * 50 + [("female", "b")] * 20
    splits = assign_splits(strata, list(range(170)), SHARES, seed=0)
    counts = Counter(zip(strata, splits, strict=True))
    assert [counts[("male", "a"), split] for split in SHARES] == [80, 10, 10]
    assert [counts[("female", "a"), split] for split in SHARES] == [40, 5, 5]
    assert [counts[("female", "b"), split] for split in SHARES] == [16, 2, 2]


def test_many_small_sources_are_divided_too() -> None:
    splits = assign_splits([("male", str(number)) for number in range(100)], list(range(100)), SHARES, seed=0)
    assert Counter(splits) == {"train": 80, "val": 10, "test": 10}


def test_a_group_stays_together() -> None:
    groups = [number // 3 for number in range(90)]
    splits = assign_splits([("male", "")] * 90, groups, SHARES, seed=0)
    assert all(len({split for split, each in zip(splits, groups, strict=True) if each == group}) == 1 for group in set(groups))
    assert Counter(splits) == {"train": 72, "val": 9, "test": 9}


def test_the_seed_decides() -> None:
    strata = [("male", "")] * 50
    first, again, other = (assign_splits(strata, list(range(50)), SHARES, seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("splits", "loser"), [(("test", "train"), "train"), (("val", "train"), "train"), (("val_lfw", "val"), "val")])
def test_what_judges_keeps_a_shared_photo(splits: tuple[str, str], loser: str) -> None:
    assert training_side(*splits) == training_side(*reversed(splits)) == loser

"""A photo's split depends on that photo alone, so it stays when others come; look-alikes and photos of one name are on one side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from tune_training.data.photo import Photo
from tune_training.data.splitting import split_photos, training_side

Pairs = Sequence[tuple[int, int]]
SHARES = 0.1, 0.1


def photo(number: int, label: str = "", split: str = "", **columns: str) -> Photo:
    content = sha256(str(number).encode()).hexdigest()
    return Photo("photos", f"{number}.jpg", label or ("female", "male")[number % 2], split, sha256=content, columns=columns)


def splits(photos: Sequence[Photo], pairs: Pairs = (), shares: tuple[float, float] = SHARES, seed: int = 0) -> Mapping[str, str]:
    return {each.name: each.split for each in split_photos(photos, pairs, *shares, seed)[0]}


def test_the_shares_are_about_those_wanted() -> None:
    found = splits([photo(number) for number in range(5000)], shares=(0.1, 0.2))
    counts = Counter(found.values())
    assert counts["val"] == pytest.approx(500, abs=70)
    assert counts["test"] == pytest.approx(1000, abs=90)


def test_no_photo_moves_when_a_tenth_is_added_in_any_order() -> None:
    """Of the new ones, 30 look like one that was there; a look-alike with a lower hash takes its place where their splits differ."""
    old, new = [photo(number) for number in range(1000)], [photo(number) for number in range(1000, 1100)]
    before = splits(old)
    together = new[::-1] + old
    place = {each.name: index for index, each in enumerate(together)}
    after = splits(together, [(place[f"{1000 + number}.jpg"], place[f"{20 * number}.jpg"]) for number in range(30)])
    assert all(after[name] == split for name, split in before.items() if name in after)
    gone = before.keys() - after.keys()
    assert gone <= {f"{20 * number}.jpg" for number in range(30)}
    assert len(gone) <= 10
    assert before == splits([each for each in together if each in old])


def test_a_growing_group_of_look_alikes_never_moves_a_photo() -> None:
    seen: dict[str, str] = {}
    for size in range(1, 40):
        found = splits([photo(number, "male") for number in range(size)], [(0, other) for other in range(1, size)], (0.3, 0.3))
        assert len(set(found.values())) == 1
        assert all(seen.setdefault(name, split) == split for name, split in found.items())
    assert len(seen) > 10


def test_most_copies_of_a_photo_are_still_trained_on() -> None:
    """Five changed copies of each photo, as in a folder that was augmented before."""
    photos = [photo(number, "male") for number in range(3000)]
    kept, rejects = split_photos(photos, [(number - number % 6, number) for number in range(3000) if number % 6], *SHARES, 0)
    assert Counter(each.split for each in kept)["train"] > 0.6 * 3000
    assert {reject.reason for reject in rejects} == {"near_duplicate"}


@pytest.mark.parametrize("column", ["group", "identity"])
def test_photos_of_one_name_are_in_one_split_for_ever(column: str) -> None:
    photos = [photo(number, **{column: f"person {number // 5}"}) for number in range(1000)]
    found = splits(photos)
    assert all(len({found[f"{5 * person + each}.jpg"] for each in range(5)}) == 1 for person in range(200))
    assert set(found.values()) == {"train", "val", "test"}
    grown = [*photos, *(photo(number, **{column: f"person {number % 200}"}) for number in range(1000, 1500))]
    after = splits(grown)
    assert found.items() <= after.items()
    assert after["1000.jpg"] == found["0.jpg"]


def test_a_group_counts_more_than_the_people_in_it() -> None:
    found = splits([photo(number, group="shoot", identity=str(number)) for number in range(50)] + [photo(99)])
    assert len({found[f"{number}.jpg"] for number in range(50)}) == 1


def test_given_splits_are_kept_and_others_of_their_name_join_them() -> None:
    given = {0: "train", 1: "val", 2: "test", 3: "val_lfw"}
    photos = [photo(number, split=given.get(number % 10, ""), group=f"g{number}" if number < 4 else "") for number in range(60)]
    photos += [photo(100 + number, group=f"g{number}") for number in range(4)]
    found = splits(photos)
    assert all(found[f"{number}.jpg"] == given[number % 10] for number in range(60) if number % 10 in given)
    assert [found[f"{100 + number}.jpg"] for number in range(4)] == list(given.values())


def test_what_looks_like_a_photo_of_a_given_split_is_there_or_left_out() -> None:
    photos = [photo(0, "male", "test"), photo(1, "male", "train"), *(photo(number, "male") for number in range(2, 60))]
    pairs = [(0, 1), *((0, number) for number in range(2, 60))]
    kept, rejects = split_photos(photos, pairs, *SHARES, 0)
    assert {each.split for each in kept} == {"test"}
    assert {reject.detail for reject in rejects} == {"looks like 0.jpg of the split test"}
    assert "1.jpg" in {reject.uri for reject in rejects}


@pytest.mark.parametrize(
    ("given", "drawn"),
    [(("train", "test"), {"val"}), (("train", "val"), {"test"}), (("train",), {"val", "test"}), (("train", "val", "test"), set())],
)
def test_a_split_that_is_missing_is_drawn_from_train(given: tuple[str, ...], drawn: set[str]) -> None:
    photos = [photo(number, split=given[number // 100 % len(given)]) for number in range(600)]
    found = splits(photos)
    assert set(found.values()) == {*given, *drawn}
    changed = {each.split for each in photos if found[each.name] != each.split}
    assert changed == ({"train"} if drawn else set())
    assert splits(photos, shares=(0, 0)) == {each.name: each.split for each in photos}


@pytest.mark.parametrize("each", [3, 8, 20, 99])
def test_small_sets_have_each_label_in_each_split(each: int) -> None:
    for first in range(0, 10_000, 1000):
        photos = [photo(first + number) for number in range(2 * each)]
        found = splits(photos)
        assert Counter((found[one.name], one.label) for one in photos).keys() == {
            (split, label) for split in ("train", "val", "test") for label in ("female", "male")
        }


def test_the_last_photos_of_a_label_are_trained_on() -> None:
    assert splits([photo(0, "male"), *(photo(number, "female") for number in range(2, 50))])["0.jpg"] == "train"
    assert sorted(splits([photo(number, "male") for number in range(2)]).values()) in (["train", "val"], ["test", "train"])
    assert splits([photo(number, "male", group="all") for number in range(9)]).keys() == {f"{number}.jpg" for number in range(9)}


def test_a_stand_in_takes_along_what_belongs_to_it() -> None:
    photos = [photo(number, "male", group=str(number // 4)) for number in range(12)]
    found = splits(photos, [(0, 4)])
    assert all(len({found[f"{4 * group + each}.jpg"] for each in range(4)}) == 1 for group in range(3))
    assert found["0.jpg"] == found["4.jpg"]


def test_the_seed_decides() -> None:
    photos = [photo(number) for number in range(50)]
    assert splits(photos, seed=1) == splits(photos, seed=1) != splits(photos, seed=2)
    assert splits([replace(each, name=f"moved/{each.name}") for each in photos], seed=1) == {
        f"moved/{name}": split for name, split in splits(photos, seed=1).items()
    }


@pytest.mark.parametrize(("splits", "loser"), [(("test", "train"), "train"), (("val", "train"), "train"), (("val_lfw", "val"), "val")])
def test_what_judges_keeps_a_shared_photo(splits: tuple[str, str], loser: str) -> None:
    assert training_side(*splits) == training_side(*reversed(splits)) == loser

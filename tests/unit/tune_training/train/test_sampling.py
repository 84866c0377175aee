from collections import Counter, defaultdict

import numpy as np
import pytest

from tune_training.data.photo import Photo
from tune_training.train.sampling import MOST_FAVOURED, sampling_weights, stratified_subset


def people(counts: dict[tuple[str, str], int]) -> list[Photo]:
    rows = [(source, label) for (source, label), count in counts.items() for _ in range(count)]
    return [Photo("", str(number), label, source=source) for number, (source, label) in enumerate(rows)]


def share_by(group: str, drawn: list[Photo], weights: np.ndarray) -> dict[str, float]:
    shares: dict[str, float] = defaultdict(float)
    for person, weight in zip(drawn, weights, strict=True):
        shares[getattr(person, group)] += float(weight)
    return shares


@pytest.mark.parametrize(("power", "large_share"), [(1.0, 100 / 104), (0.5, 10 / 12), (0.0, 0.5)])
def test_sources_are_drawn_by_a_power_of_their_size(power: float, large_share: float) -> None:
    drawn = people({("large", "female"): 90, ("large", "male"): 10, ("small", "female"): 1, ("small", "male"): 3})
    weights = sampling_weights(drawn, power)
    assert weights.sum() == pytest.approx(1.0)
    assert share_by("source", drawn, weights)["large"] == pytest.approx(large_share)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_labels_are_balanced_within_each_source(power: float) -> None:
    drawn = people({("a", "female"): 90, ("a", "male"): 10, ("b", "female"): 1, ("b", "male"): 3})
    weights = sampling_weights(drawn, power)
    for source in "ab":
        chosen = [(person, weight) for person, weight in zip(drawn, weights, strict=True) if person.source == source]
        shares = share_by("label", [person for person, _ in chosen], np.array([weight for _, weight in chosen]))
        assert shares["female"] == pytest.approx(shares["male"])


def test_labels_are_balanced_within_each_band_of_age_which_keeps_its_share() -> None:
    counts = {("a", "female", "25"): 30, ("a", "male", "21"): 10, ("a", "female", "60"): 4, ("a", "male", "65"): 12, ("a", "male", ""): 4}
    rows = [row for row, count in counts.items() for _ in range(count)]
    drawn = [Photo("", str(number), label, source=source, columns={"age": age}) for number, (source, label, age) in enumerate(rows)]
    weights = sampling_weights(drawn, 1.0, ("source", "age"))
    shares: dict[tuple[str, str], float] = defaultdict(float)
    for (_, label, age), weight in zip(rows, weights, strict=True):
        shares[label, age[:1]] += float(weight)
    assert shares == pytest.approx(
        {("female", "2"): 20 / 60, ("male", "2"): 20 / 60, ("female", "6"): 8 / 60, ("male", "6"): 8 / 60, ("male", ""): 4 / 60}
    )


def test_without_balance_labels_stay_as_they_are() -> None:
    drawn = people({("a", "female"): 90, ("a", "male"): 10})
    assert sampling_weights(drawn, 0.5, ()) == pytest.approx(np.full(100, 0.01))


def test_a_few_photos_are_not_drawn_all_the_time_to_balance_many() -> None:
    weights = sampling_weights(people({("a", "female"): 999, ("a", "male"): 1}), 1.0)
    assert weights.max() / weights.min() == pytest.approx(MOST_FAVOURED / (1000 / 999 / 2))


def test_a_source_of_one_label_keeps_its_share() -> None:
    drawn = people({("women", "female"): 5, ("both", "female"): 5, ("both", "male"): 5})
    assert share_by("source", drawn, sampling_weights(drawn, 0.0)) == pytest.approx({"women": 0.5, "both": 0.5})


def test_a_subset_has_of_each_source_and_label_its_share() -> None:
    drawn = people({("a", "female"): 60, ("a", "male"): 20, ("b", "female"): 16, ("b", "male"): 4})
    chosen = stratified_subset(drawn, 25, seed=1)
    counts = Counter((each.source, each.label) for each in chosen)
    assert counts == {
        ("a", "female"): 15,
        ("a", "male"): 5,
        ("b", "female"): 4,
        ("b", "male"): 1,
    }
    assert [int(each.name) for each in chosen] == sorted(int(each.name) for each in chosen)
    assert chosen == stratified_subset(drawn, 25, seed=1) != stratified_subset(drawn, 25, seed=2)


def test_a_subset_leaves_no_source_or_label_out() -> None:
    chosen = stratified_subset(people({("a", "female"): 1000, ("a", "male"): 1, ("b", "male"): 2}), 5, seed=0)
    assert {(each.source, each.label) for each in chosen} == {("a", "female"), ("a", "male"), ("b", "male")}


def test_a_subset_of_more_than_there_are_is_all() -> None:
    drawn = people({("a", "female"): 3})
    assert stratified_subset(drawn, 4, seed=0) == drawn

import numpy as np
import pytest

from tune_training.data.photo import Photo
from tune_training.evaluate.weighting import FEW, NO_FRAMING, balanced_weights, framings_of, sources_of


def test_framings_sources_and_labels_count_the_same_whatever_their_number_of_photos() -> None:
    cells = {
        ("face", "large", True): 900,
        ("face", "large", False): 300,
        ("face", "small", True): 20,
        ("face", "small", False): 40,
        ("body", "small", True): 30,
        ("body", "small", False): 30,
    }
    rows = [cell for cell, count in cells.items() for _ in range(count)]
    framings, sources, female = (np.array(column) for column in zip(*rows, strict=True))
    weights = balanced_weights(framings, sources, female)
    assert weights.sum() == pytest.approx(1)
    for framing, source, label in cells:
        share = weights[(framings == framing) & (sources == source) & (female == label)].sum()
        assert share == pytest.approx({"face": 1 / 8, "body": 1 / 4}[framing])


def test_a_source_of_few_photos_counts_in_proportion_to_them() -> None:
    sources = np.array(["many"] * 1000 + ["few"] * (FEW // 4))
    weights = balanced_weights(sources)
    assert weights[sources == "few"].sum() == pytest.approx(1 / 5)
    assert balanced_weights(np.array(["many"] * 1000 + ["one"]))[-1] == pytest.approx(1 / (FEW + 1))


def test_photos_of_one_kind_weigh_the_same() -> None:
    kind = np.array(["a"] * 8)
    assert balanced_weights(kind, kind, np.array([True] * 8)).tolist() == [1 / 8] * 8


def test_a_photo_without_a_framing_has_a_name_for_it() -> None:
    photos = [Photo("root", "a.jpg", "female", source="x", columns={"framing": "face"}), Photo("root", "b.jpg", "male", source="y")]
    assert framings_of(photos).tolist() == ["face", NO_FRAMING]
    assert sources_of(photos).tolist() == ["x", "y"]

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from serve_app.cropping import CropSpec, crop_person
from serve_app.gate import RelativeBox
from tests.support.drawn_photos import BLUE, RED, draw, write_portraits
from tune_training.classification_data import (
    NONE,
    WHOLE_PHOTO,
    Augmentation,
    ClassificationDataset,
    LabelledPerson,
    augmented_crop,
    read_index,
    sampling_weights,
)

SPEC = CropSpec(margin=0.05, aspect=1.5, size=32)
STRONG = Augmentation(zoom_out=1, head_crop=1, jitter=0.3, turn_degrees=30, colour=0.8, grey=1, blur=1, erase=1)


def people(counts: dict[tuple[str, str], int]) -> list[LabelledPerson]:
    return [LabelledPerson(Path(), label, source) for (source, label), count in counts.items() for _ in range(count)]


def share_by(group: str, drawn: list[LabelledPerson], weights: np.ndarray) -> dict[str, float]:
    shares: dict[str, float] = defaultdict(float)
    for person, weight in zip(drawn, weights, strict=True):
        shares[getattr(person, group)] += float(weight)
    return shares


def test_a_split_of_the_index_is_read(tmp_path: Path) -> None:
    index = write_portraits(tmp_path, ["train", "val"], photos=1)
    read = read_index(index, "val")
    assert [(person.label, person.source, person.box) for person in read] == [
        ("female", "face", WHOLE_PHOTO),
        ("female", "body", WHOLE_PHOTO),
        ("male", "face", WHOLE_PHOTO),
        ("male", "body", WHOLE_PHOTO),
    ]
    assert all(person.path.is_file() and person.path.parts[-3] == "val" for person in read)


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


def test_a_source_of_one_label_keeps_its_share() -> None:
    drawn = people({("women", "female"): 5, ("both", "female"): 5, ("both", "male"): 5})
    assert share_by("source", drawn, sampling_weights(drawn, 0.0)) == pytest.approx({"women": 0.5, "both": 0.5})


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (200, 12), (112, 112), (144, 500)], ids=str)
@pytest.mark.parametrize(
    "box", [WHOLE_PHOTO, (0.3, 0.1, 0.7, 1.0), (0.0, 0.0, 0.3, 0.2), (0.9, 0.9, 1.0, 1.0)], ids=["portrait", "body", "head", "corner"]
)
@pytest.mark.parametrize("how", [NONE, Augmentation(), STRONG], ids=["none", "default", "strong"])
def test_a_crop_is_what_the_classifier_takes(size: tuple[int, int], box: RelativeBox, how: Augmentation) -> None:
    photo = Image.effect_noise(size, 50).convert("RGB")
    for seed in range(15):
        crop = augmented_crop(photo, box, SPEC, how, np.random.default_rng(seed))
        assert (crop.shape, crop.dtype.name) == ((32, 32, 3), "uint8")


@pytest.mark.parametrize("how", [NONE, Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0), replace(NONE)], ids=["NONE", "equal", "copied"])
@pytest.mark.parametrize("box", [WHOLE_PHOTO, (0.3, 0.1, 0.7, 1.0)], ids=["portrait", "body"])
def test_no_augmentation_is_the_crop_of_serving(box: RelativeBox, how: Augmentation) -> None:
    photo = Image.effect_noise((96, 64), 50).convert("RGB")
    expected = crop_person(np.asarray(photo), box, SPEC)
    for seed in range(10):
        np.testing.assert_array_equal(augmented_crop(photo, box, SPEC, how, np.random.default_rng(seed)), expected)


def test_a_crop_shows_the_person() -> None:
    """Whatever the augmentation, most of the middle of the crop is the person and not what is around."""
    photo = draw([(40, 10, 80, 110)], (120, 120))
    shares = []
    for seed in range(100):
        crop = augmented_crop(photo, (40 / 120, 10 / 120, 80 / 120, 110 / 120), SPEC, Augmentation(grey=0), np.random.default_rng(seed))
        middle = crop[8:24, 8:24].astype(int)
        shares.append((middle[..., 0] - middle[..., 2] > 40).mean())
    assert np.mean(shares) > 0.9


def test_close_ups_are_sometimes_shown_smaller_on_a_background() -> None:
    photo = Image.new("RGB", (64, 64), RED)
    zoomed = replace(NONE, zoom_out=1.0)
    for seed in range(20):
        crop = augmented_crop(photo, WHOLE_PHOTO, SPEC, zoomed, np.random.default_rng(seed)).astype(int)
        assert (np.abs(crop - RED).max(axis=-1) < 12).mean() > 0.04  # the face is there still, at a quarter of its sides or more
    corners = [augmented_crop(photo, WHOLE_PHOTO, SPEC, zoomed, np.random.default_rng(seed))[0, 0].tolist() for seed in range(20)]
    assert any(np.abs(np.subtract(corner, RED)).max() > 60 for corner in corners)


def dataset(folder: Path, seed: int) -> ClassificationDataset:
    index = folder / "index.csv"
    if not index.exists():
        write_portraits(folder, ["train"], photos=2)
    return ClassificationDataset(read_index(index, "train"), ["female", "male"], SPEC, Augmentation(), seed)


def test_an_item_is_a_crop_and_its_label(tmp_path: Path) -> None:
    crops = dataset(tmp_path, seed=0)
    assert [crops[index][1] for index in range(len(crops))] == [0, 0, 0, 0, 1, 1, 1, 1]
    for index in range(len(crops)):
        assert (crops[index][0].shape, crops[index][0].dtype) == ((3, 32, 32), torch.uint8)


def test_an_item_depends_on_the_seed_and_its_index_only(tmp_path: Path) -> None:
    first, second, other = dataset(tmp_path, 3), dataset(tmp_path, 3), dataset(tmp_path, 4)
    backwards = {index: second[index][0] for index in reversed(range(8))}
    assert all(torch.equal(first[index][0], backwards[index]) for index in range(8))
    assert not all(torch.equal(first[index][0], other[index][0]) for index in range(8))


def test_the_box_is_cut_from_the_upright_photo(tmp_path: Path) -> None:
    """As serving does: the lower half of what people see, not of what the camera stored."""
    stored = Image.new("RGB", (64, 64), BLUE)
    stored.paste(RED, (32, 0, 64, 64))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turned clockwise, the right half is below
    stored.save(tmp_path / "turned.png", exif=exif)
    person = LabelledPerson(tmp_path / "turned.png", "male", "camera", (0.0, 0.55, 1.0, 1.0))
    (crop, _) = ClassificationDataset([person], ["female", "male"], replace(SPEC, margin=0), NONE, seed=0)[0]
    assert (crop.permute(1, 2, 0) == torch.tensor(RED)).all()

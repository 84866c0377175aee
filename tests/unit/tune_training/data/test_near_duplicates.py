"""Altered copies of a photo are found; other photos are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.support.data_sets import blots
from tune_training.data.near_duplicates import MOST_BITS, groups_of, near_pairs, perceptual_hash


def hash_of(photo: Image.Image) -> str:
    return perceptual_hash(np.asarray(photo))


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def recompressed(photo: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=30)
    return Image.open(buffer)


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo.resize((48, 64)),
        lambda photo: photo.resize((300, 400)),
        recompressed,
        lambda photo: ImageEnhance.Brightness(photo).enhance(1.15),
        lambda photo: photo.convert("L").convert("RGB"),
        lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda photo: recompressed(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((48, 64))),
    ],
    ids=["smaller", "larger", "recompressed", "brighter", "grey", "mirrored", "mirrored and smaller"],
)
def test_a_changed_copy_is_near(change: object) -> None:
    assert callable(change)
    assert list(near_pairs([hash_of(blots(1)), hash_of(blots(2)), hash_of(change(blots(1)))])) == [(0, 2)]


def test_other_photos_are_far() -> None:
    hashes = [hash_of(blots(seed)) for seed in range(60)]
    assert list(near_pairs(hashes)) == []
    assert min(distance(hashes[0], other) for other in hashes[1:]) > 2 * MOST_BITS


def test_all_pairs_are_found_across_blocks() -> None:
    rng = np.random.default_rng(0)
    hashes = [rng.bytes(32).hex() for _ in range(1500)]
    for first, second in ((3, 4), (0, 1400), (700, 1499)):
        hashes[second] = f"{int(hashes[first], 16) ^ (2**MOST_BITS - 1):064x}"  # the largest difference allowed
    hashes[900] = f"{int(hashes[800], 16) ^ (2 ** (MOST_BITS + 1) - 1):064x}"  # one bit too many
    hashes[1200] = f"{int(hashes[40], 16) ^ int('55' * 32, 16):064x}"  # mirrored
    assert sorted(near_pairs(hashes)) == [(0, 1400), (3, 4), (40, 1200), (700, 1499)]


def test_nothing_is_near_nothing() -> None:
    assert list(near_pairs([])) == []


def test_who_is_near_somebody_near_is_in_the_group() -> None:
    assert groups_of(7, [(5, 6), (1, 2), (2, 4), (4, 5)]) == [0, 1, 1, 3, 1, 1, 1]

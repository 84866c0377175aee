"""Photos with wrong labels are found by a model that never saw the labels, and prepare takes the table."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve_app.runtimes.base import FEMALE, MALE
from serve_app.settings import get_settings
from tests.support.checkpoints import write_tiny_classifier
from tests.support.data_sets import blots, write_photo
from tests.support.drawn_photos import BLUE, RED
from tune_training.data.corrections import DROP
from tune_training.data.manifest import Manifest, read_manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.data.prepare import PrepareOptions, prepare
from tune_training.io.errors import InputError
from tune_training.io.workers import Engine
from tune_training.label_noise import label_noise, out_of_fold, suspicions

PREPARING = PrepareOptions(person_filter=False, engine=Engine.LOCAL)
WRONG = {f"female/{number}.jpg" for number in (3, 17)} | {"male/8.jpg"}
EACH = 30


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights, and a head of other labels: its features tell red from blue all the same."""
    return str(write_tiny_classifier(tmp_path_factory.mktemp("start"), ("cat", "dog", "tree")))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Women are reddish, men bluish, and three photos are in the wrong folder."""
    folder = tmp_path_factory.mktemp("photos")
    for label, seed in ((FEMALE, 0), (MALE, 1000)):
        for number in range(EACH):
            name = f"{label}/{number}.jpg"
            colour = RED if (label == FEMALE) != (name in WRONG) else BLUE
            write_photo(folder / name, tinted(seed + number, colour))
    return str(folder)


def tinted(seed: int, colour: tuple[int, int, int]) -> Image.Image:
    return Image.blend(blots(seed), Image.new("RGB", blots(seed).size, colour), 0.7)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_wrong_labels_are_found_shown_and_corrected(model: str, photos: str, tmp_path: Path) -> None:
    prepare(photos, str(tmp_path / "data"), PREPARING)
    manifest, out = str(tmp_path / "data" / "manifest.parquet"), tmp_path / "noise"
    label_noise(model, manifest, str(out), image_size=32, threads=1)
    found = rows(out / "corrections.csv")
    assert {row["path"] for row in found} == WRONG
    assert all({row["label"], row["given_label"]} == {FEMALE, MALE} for row in found)
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores) and scores[-1] < 0.5
    page = (out / "label-noise.html").read_text()
    assert "Labelled female, probably male: 2" in page and "Labelled male, probably female: 1" in page
    assert page.count("data:image/jpeg;base64,") == 3
    assert photos not in page and "<script" not in page

    corrected = prepare(photos, str(tmp_path / "data"), replace(PREPARING, corrections=str(out / "corrections.csv")))
    before = {photo.name: photo.label for photo in read_manifest(manifest).photos}
    assert before == {photo.name: photo.label for photo in corrected.manifest.photos}
    assert {name for name, label in before.items() if not name.startswith(label)} == WRONG

    with pytest.raises(InputError, match=r"corrections.csv is there already, and may have been gone through by hand"):
        label_noise(model, manifest, str(out))


def test_what_looks_like_neither_is_proposed_to_be_left_out() -> None:
    labels = np.array([0] * 50 + [1] * 50)
    probabilities = np.full((100, 2), 0.3)
    probabilities[np.arange(100), labels] = 0.7
    probabilities[7], probabilities[60] = (0.25, 0.75), (0.98, 0.02)
    first, second = suspicions(labels, probabilities)
    assert (first.index, first.label, second.index, second.label) == (60, FEMALE, 7, DROP)
    assert first.score < second.score < 0.5


def test_a_photo_is_never_judged_by_its_near_duplicates() -> None:
    """Each photo has a twin with the same noise for features and the same label; whoever saw the twin would know the label."""
    rng = np.random.default_rng(0)
    rows, labels = np.repeat(rng.normal(size=(100, 200)), 2, axis=0), np.repeat(rng.integers(0, 2, 100), 2)
    probabilities = out_of_fold(rows, labels, np.repeat(np.arange(100), 2))
    assert 0.3 < (probabilities.argmax(axis=1) == labels).mean() < 0.7


def test_too_few_photos_of_a_label_are_told_before_any_work(tmp_path: Path) -> None:
    photos = [Photo("photos", f"{number}.jpg", FEMALE if number < 9 else MALE, sha256=str(number)) for number in range(12)]
    write_manifest(Manifest(photos, "photos"), str(tmp_path / "manifest.csv"))
    with pytest.raises(InputError, match="5 different photos of 'male' are needed at least, and there are 3"):
        label_noise("no-model", str(tmp_path / "manifest.csv"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_table_without_suspicious_photos_has_its_columns(model: str, tmp_path: Path) -> None:
    for label, colour, seed in ((FEMALE, RED, 0), (MALE, BLUE, 1000)):
        for number in range(8):
            write_photo(tmp_path / "photos" / label / f"{number}.jpg", tinted(seed + number, colour))
    prepare(str(tmp_path / "photos"), str(tmp_path / "data"), PREPARING)
    label_noise(model, str(tmp_path / "data" / "manifest.parquet"), str(tmp_path / "out"), image_size=32, threads=1)
    assert (tmp_path / "out" / "corrections.csv").read_text() == "path,label,given_label,score\n"
    assert "There are none" in (tmp_path / "out" / "label-noise.html").read_text()

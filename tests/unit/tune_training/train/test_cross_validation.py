"""Few photos: each is judged by a model that has not seen it, and the final model has seen all of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.base import FEMALE, LABELS, MALE
from serve_app.settings import get_settings
from tests.support.checkpoints import write_tiny_classifier
from tests.support.drawn_photos import BLUE, RED, draw, save
from tune_training.data.manifest import Manifest
from tune_training.data.photo import Photo
from tune_training.evaluate.metrics_file import read_metrics
from tune_training.io.errors import InputError
from tune_training.train import cross_validation as module
from tune_training.train import fine_tune as training_module
from tune_training.train import loop
from tune_training.train.crops import Crops
from tune_training.train.cross_validation import cross_validate, hint_for, summary
from tune_training.train.recipe import ClassifierRecipe

FOLDS, SIZE = 3, 32
RECIPE = ClassifierRecipe(epochs=2, batch_size=8, photos_per_epoch=16)


class Interrupted(Exception):
    """Simulates a kill."""


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """24 photos to train on, 6 of them in `val`, and some that nobody may see."""
    folder, photos = tmp_path_factory.mktemp("photos"), []
    for label, colour in ((FEMALE, RED), (MALE, BLUE)):
        for number in range(15):
            split = "train" if number < 9 else "val" if number < 12 else "test" if number < 14 else "val_lfw"
            photo = Photo(str(folder), f"{label}_{number}.jpg", label, split, "web", sha256=f"{label} {number}")
            save(draw([(2, 2, 94, 62)], colour=colour), folder / photo.name)
            photos.append(photo)
    return Manifest(photos, str(folder))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog", "tree")))


def names(photos: Crops) -> set[str]:
    return {photo.name for photo in photos.photos}


class Trainings:
    """Stands in for training: records what is asked for; an epoch's model is right about the photos that `right` says.

    Attributes:
        asked: the photos trained on, those left out, and the options, in order.
    """

    def __init__(self, right: Callable[[Photo, int], bool]) -> None:
        self._right = right
        self.asked: list[tuple[set[str], set[str], dict[str, Any]]] = []

    def __call__(self, start: str, training: Crops, run_dir: Path, recipe: ClassifierRecipe, **options: Any) -> Path:
        left_out, keep = options.pop("validation", None), options.pop("on_answers", None)
        self.asked.append((names(training), names(left_out) if left_out else set(), options))
        for epoch in range(recipe.epochs) if left_out else ():
            keep(epoch + 1, np.array([self._logits(photo, epoch + 1) for photo in left_out.photos], np.float32))
        folder = run_dir / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"weights")
        return folder

    def _logits(self, photo: Photo, epoch: int) -> Sequence[float]:
        towards = LABELS.index(photo.label) if self._right(photo, epoch) else 1 - LABELS.index(photo.label)
        return [2.0 * (index == towards) for index in range(len(LABELS))]


def always(photo: Photo, epoch: int) -> bool:
    return True


def run(table: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch, trainings: Trainings, **options: Any) -> dict[str, Any]:
    monkeypatch.setattr(module, "fine_tune", trainings)
    arguments: dict[str, Any] = {"start": "vit", "folds": FOLDS, "recipe": RECIPE} | options
    return cross_validate(table=table, image_size=SIZE, run_dir=folder, **arguments)


def test_each_photo_is_left_out_once_and_the_test_split_is_never_seen(
    table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(always)
    found = run(table, tmp_path, monkeypatch, trainings)
    usable = {photo.name for photo in table.photos if photo.split in ("train", "val")}
    *folds, (finally_seen, nothing, options) = trainings.asked
    assert len(folds) == FOLDS
    assert all(seen | left_out == usable and not seen & left_out for seen, left_out, _ in folds)
    assert sorted(name for _, left_out, _ in folds for name in left_out) == sorted(usable)
    assert (finally_seen, nothing) == (usable, set())
    assert options["last_epoch"] == found["epochs"]
    assert found["estimate"]["photos"] == len(usable) == 24


def test_the_estimate_is_of_all_photos_with_its_interval_and_the_spread_of_the_folds(
    table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"female_0.jpg", "female_1.jpg", "female_2.jpg"}
    found = run(table, tmp_path, monkeypatch, Trainings(lambda photo, _: photo.name not in wrong))
    written = json.loads((tmp_path / "folds.json").read_text())
    accuracy = written["estimate"]["accuracy"]
    assert accuracy["value"] == pytest.approx(21 / 24)
    assert accuracy["low"] < 0.75 and accuracy["high"] > 0.95
    assert written["estimate"]["recall"][FEMALE]["value"] == 0.75
    by_fold = [each["balanced_accuracy"] for each in written["by_fold"]]
    assert np.mean(by_fold) == pytest.approx(written["spread"]["balanced_accuracy"]["mean"], abs=1e-3)
    assert (min(by_fold), max(by_fold)) == tuple(written["spread"]["balanced_accuracy"][end] for end in ("lowest", "highest"))
    assert "Out of fold, on 24 photos: balanced accuracy 87.5% (" in summary(found)


def test_no_fold_has_a_say_in_which_epoch_judges_it(table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fold is answered perfectly after epoch 1 and never after epoch 2; the others are a little better after epoch 2."""
    odd = first_fold(table, tmp_path / "probe", monkeypatch)

    def right(photo: Photo, epoch: int) -> bool:
        if photo.name in odd:
            return epoch == 1
        return epoch == 2 or not photo.name.endswith(("_0.jpg", "_1.jpg", "_2.jpg", "_3.jpg"))

    found = run(table, tmp_path / "run", monkeypatch, Trainings(right))
    assert found["by_fold"][0]["epochs"] == 2
    assert found["by_fold"][0]["accuracy"] == 0.0
    assert found["epochs"] == 1


def first_fold(table: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The photos of the first fold."""
    probe = Trainings(always)
    run(table, folder, monkeypatch, probe)
    return probe.asked[0][1]


def test_a_fold_that_is_done_is_not_trained_again(table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(always)

    def killed(*arguments: Any, **options: Any) -> Path:
        if len(trainings.asked) == 2:
            raise Interrupted
        return trainings(*arguments, **options)

    monkeypatch.setattr(module, "fine_tune", killed)
    with pytest.raises(Interrupted):
        cross_validate("vit", table, FOLDS, SIZE, tmp_path, RECIPE)
    run(table, tmp_path, monkeypatch, trainings)
    assert len(trainings.asked) == FOLDS + 1
    assert {path.name for path in (tmp_path / "folds").iterdir()} == {"settings.json", "1.npy", "2.npy", "3.npy"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"folds": 2}, "photos and folds changed"),
        ({"start": "deit"}, "start changed"),
        ({"recipe": replace(RECIPE, learning_rate=0.1)}, "learning_rate changed"),
    ],
    ids=["folds", "start", "recipe"],
)
def test_the_folder_of_other_folds_is_refused(
    table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], told: str
) -> None:
    run(table, tmp_path, monkeypatch, Trainings(always))
    with pytest.raises(InputError, match=f"belongs to other folds: {told}"):
        run(table, tmp_path, monkeypatch, Trainings(always), **changed)


def test_the_folder_of_a_run_without_folds_is_refused_before_any_work(
    table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "training_state.pt").touch()
    trainings = Trainings(always)
    with pytest.raises(InputError, match="belongs to a run without folds"):
        run(table, tmp_path, monkeypatch, trainings)
    assert not trainings.asked


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"folds": 1}, "two folds at least"),
        ({"recipe": replace(RECIPE, patience=2)}, "patience goes without folds"),
        ({"folds": 13}, "13 different photos of 'female' are needed at least, and there are 12"),
    ],
    ids=["one", "patience", "too many"],
)
def test_folds_that_cannot_be_are_refused(
    table: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        run(table, tmp_path, monkeypatch, Trainings(always), **changed)


def test_a_run_killed_within_a_fold_ends_like_an_unbroken_one(
    table: Manifest, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = cross_validate(start, table, 2, SIZE, tmp_path / "unbroken", RECIPE)
    written, write = [], loop.write_checkpoint

    def killed(*arguments: Any) -> None:
        written.append(arguments)
        if len(written) == 3:  # the first epoch of the second fold
            raise Interrupted
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training_module, "write_checkpoint", killed)
        with pytest.raises(Interrupted):
            cross_validate(start, table, 2, SIZE, tmp_path / "killed", RECIPE)
    assert cross_validate(start, table, 2, SIZE, tmp_path / "killed", RECIPE) == unbroken
    checkpoints = [tmp_path / name / "checkpoint" for name in ("killed", "unbroken")]
    first, second = (load_file(folder / "model.safetensors") for folder in checkpoints)
    assert all(np.array_equal(first[name], second[name]) for name in second)
    for folder in checkpoints:
        assert read_metrics(folder)["folds"]["estimate"]["photos"] == 24
        assert ClassifierDecision.read(folder).temperature == unbroken["temperature"]


def test_only_a_validation_split_whose_interval_is_wide_gets_a_hint() -> None:
    hint = hint_for(20, 198, "they choose the epoch")
    assert "the 20 photos of 'val' are few, and they choose the epoch" in hint
    assert "an accuracy of 90% on them means anything from 70% to 97%" in hint
    assert "all 198 photos of 'train' and 'val'" in hint
    assert not hint_for(200, 2000, "")

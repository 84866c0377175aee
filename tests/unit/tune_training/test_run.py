"""The manifest of a work-dir stays, whatever comes to the photos; what the last steps would refuse is refused before the search."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import CheckpointError
from tests.support.data_sets import blots, write_photo
from tune_training import run as module
from tune_training.data import examine as examining
from tune_training.data.manifest import read_manifest
from tune_training.data.prepare import PrepareOptions, prepare
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.workers import Engine
from tune_training.run import run
from tune_training.tune.options import TuneOptions

PREPARING = PrepareOptions(person_filter=False, engine=Engine.LOCAL)
EACH = 8

Calls = list[tuple[str, str]]


@dataclass(frozen=True)
class Searched:
    """Stands for the result of a search."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(EACH):
        write_photo(tmp_path / "photos" / "female" / f"{number}.jpg", blots(number))
        write_photo(tmp_path / "photos" / "male" / f"{number}.jpg", blots(100 + number))
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Photos are examined in this process, and all further steps only say what they were asked for."""
    made: Calls = []

    def step(name: str, result: object) -> Callable[..., object]:
        def call(first: str, second: str, *_: object, **__: object) -> object:
            made.append((name, second))
            return result

        return call

    monkeypatch.setattr(examining, "work_on", lambda names, load, *_: [load()(names)] if names else [])
    for name, result in (("check_answered", ""), ("tune", Searched()), ("evaluate", {}), ("publish", "published")):
        monkeypatch.setattr(module, name, step(name, result))
    return made


def again(photos: Path, preparing: PrepareOptions = PREPARING, publish_to: str | None = None, refresh: bool = False) -> str:
    return run(str(photos), str(photos.parent / "run"), preparing, TuneOptions(), publish_to, refresh)


def searches(calls: Calls) -> list[str]:
    return [Path(folder).name for name, folder in calls if name == "tune"]


def test_a_photo_that_comes_between_two_runs_waits_for_refresh(photos: Path, calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert again(photos) == str(photos.parent / "run" / "tune" / "best")
    manifest = str(photos.parent / "run" / "data" / "manifest.parquet")
    before = read_manifest(manifest)
    for number in range(5):
        write_photo(photos / "male" / f"new {number}.jpg", blots(500 + number))
    (photos / "female" / "0.jpg").unlink()
    again(photos)
    assert read_manifest(manifest) == before
    assert "has changed since the manifest was made (16 files then, 20 now)" in caplog.text
    again(photos, refresh=True)
    after = read_manifest(manifest)
    assert len(after.photos) == 20
    assert "the new manifest: 5 photos added, 1 gone, " in caplog.text
    again(photos, refresh=True)
    again(photos)
    assert read_manifest(manifest) == after
    assert searches(calls) == ["tune", "tune", "tune-2", "tune-2", "tune-2"]


def test_a_manifest_without_photos_that_were_not_read_does_not_stay(photos: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def incomplete(*arguments: Any) -> None:
        prepare(*arguments)
        raise Incomplete("one was not read")

    again(photos)
    write_photo(photos / "male" / "new.jpg", blots(500))
    with monkeypatch.context() as patch, pytest.raises(Incomplete):
        patch.setattr(module, "prepare", incomplete)
        again(photos, refresh=True)
    write_photo(photos / "male" / "newer.jpg", blots(501))
    again(photos)
    assert len(read_manifest(str(photos.parent / "run" / "data" / "manifest.parquet")).photos) == 2 * EACH + 2


def test_other_options_are_refused_until_a_new_manifest_is_wanted(photos: Path, calls: Calls) -> None:
    again(photos)
    other = replace(PREPARING, val_share=0.4)
    with pytest.raises(InputError, match="data was made otherwise: val_share changed. Go on as before, or make a new one with --refresh"):
        again(photos, other)
    again(photos, replace(PREPARING, engine=Engine.RAY))
    again(photos, other, refresh=True)
    assert searches(calls) == ["tune", "tune", "tune-2"]


def test_an_edited_table_is_another_one(photos: Path) -> None:
    table = photos.parent / "corrections.csv"
    table.write_text("path,label\nmale/0.jpg,drop\n")
    corrected = replace(PREPARING, corrections=str(table))
    again(photos, corrected)
    table.write_text("path,label\nmale/1.jpg,drop\n")
    with pytest.raises(InputError, match=r"corrections\.csv changed"):
        again(photos, corrected)


def test_a_split_that_publishing_needs_is_asked_for_before_the_search(photos: Path, calls: Calls) -> None:
    untested = replace(PREPARING, test_share=0)
    with pytest.raises(InputError, match="there are no photos of the split 'test', .*see --val-share and --test-share"):
        again(photos, untested, str(photos.parent / "target"))
    assert searches(calls) == []
    again(photos, untested)
    with pytest.raises(InputError, match="there are no photos of the split 'test'"):
        again(photos, untested, str(photos.parent / "target"))
    assert searches(calls) == ["tune"]


def test_val_and_test_are_made_where_there_is_only_train(photos: Path, calls: Calls) -> None:
    (photos / "train").mkdir()
    for label in ("female", "male"):
        (photos / label).rename(photos / "train" / label)
    assert again(photos, PREPARING, str(photos.parent / "target")) == "published"
    assert read_manifest(str(photos.parent / "run" / "data" / "manifest.parquet")).splits.keys() == {"train", "val", "test"}
    assert [split for name, split in calls if name == "check_answered"] == [PREPARING.detector] * 2


def test_a_published_model_that_cannot_be_loaded_is_told_before_the_search(
    photos: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(uri: str) -> None:
        raise CheckpointError(uri, "torn", "publish again")

    monkeypatch.setattr(module, "load_classifier", broken)
    target = photos.parent / "target"
    target.mkdir()
    again(photos, PREPARING, str(target))
    (target / "config.json").write_text("{}")
    again(photos, PREPARING, str(target))  # checked before: this may be what the last step of this very run has left
    other = photos.parent / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    with pytest.raises(InputError, match="could not compare with the model that is there, so nothing is searched: .*other': torn"):
        again(photos, PREPARING, str(other))
    assert searches(calls) == ["tune", "tune"]

"""Each command reports a bad location of photos or results in its own words, before any work starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serve_app.settings import EMBEDDED_CLASSIFIER
from tests.support.data_sets import blots, write_photo
from tests.support.s3 import S3Server, s3_server
from tune_training import predict as predicting
from tune_training.data import examine as examining
from tune_training.data.prepare import PrepareOptions, prepare
from tune_training.evaluate import evaluation as evaluating
from tune_training.io.errors import InputError
from tune_training.io.workers import Engine

UNFILTERED = PrepareOptions(person_filter=False, engine=Engine.LOCAL)

COMMANDS: dict[str, Callable[[str, str], object]] = {
    "prepare": lambda source, out: prepare(source, out, UNFILTERED),
    "predict": lambda source, out: predicting.predict(source, f"{out}/answers.csv"),
    "evaluate": lambda source, out: evaluating.evaluate(EMBEDDED_CLASSIFIER, source, out),
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="data")
        yield server


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_run(*_: object, **__: object) -> None:
        raise AssertionError("work was started")

    monkeypatch.setattr(examining, "work_on", must_not_run)
    monkeypatch.setattr(predicting, "work_on", must_not_run)
    monkeypatch.setattr(evaluating, "load_detector", must_not_run)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://nowhere/photos/", r"s3://nowhere/photos/?'.* there is no such bucket"),
        ("s3://data/empty/", r"s3://data/empty/?'?: there are no files below it. Check the prefix"),
        ("s3://", "malformed. Write s3://bucket/prefix/"),
        ("nowhere", "nowhere'?: there is no such folder"),
    ],
    ids=["no such bucket", "empty prefix", "malformed", "no such folder"],
)
def test_photos_that_are_not_there(command: str, source: str, message: str, s3: S3Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        COMMANDS[command](source, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_credentials(command: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match="no usable AWS credentials"):
        COMMANDS[command]("s3://data/photos/", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["prepare", "predict"])
def test_results_that_have_no_bucket(command: str, s3: S3Server, tmp_path: Path) -> None:
    for label in ("female", "male"):
        write_photo(tmp_path / label / "1.jpg", blots(1))
    with pytest.raises(InputError, match=r"s3://nowhere/out.* there is no such bucket"):
        COMMANDS[command](str(tmp_path), "s3://nowhere/out")


def test_a_folder_that_takes_no_files_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    for label in ("female", "male"):
        write_photo(tmp_path / "photos" / label / "1.jpg", blots(1))
    with pytest.raises(InputError, match="'/proc/out': nothing can be written there. Choose another place"):
        prepare(str(tmp_path / "photos"), "/proc/out", UNFILTERED)


def test_not_enough_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in ("female", "male"):
        write_photo(tmp_path / "photos" / label / "1.jpg", blots(1))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000, "total": 2000}))
    with pytest.raises(InputError, match="out': this needs about .* are free on that disk"):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), UNFILTERED)
    assert not (tmp_path / "out").exists()

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve_app.checkpoints import resolve
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH
from tests.support.drawn_photos import BLUE, RED, FigureFinder, save
from tests.support.s3 import S3Server
from tests.support.tuning import TinySearch
from tune_training import run as module
from tune_training.data.prepare import PrepareOptions
from tune_training.evaluate import evaluation as evaluate
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.workers import Engine
from tune_training.run import run

PREPARING = PrepareOptions(person_filter=False, val_share=0.2, test_share=0.2, engine=Engine.LOCAL)


class Interrupted(Exception):
    """Simulates a kill."""


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """Twenty of each label, no two alike: a coloured figure before grey blocks."""
    rng = np.random.default_rng(5)
    for label, colour in (("female", RED), ("male", BLUE)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            photo = (
                Image.fromarray(rng.integers(40, 215, (8, 12), dtype=np.uint8)).resize((96, 64), Image.Resampling.NEAREST).convert("RGB")
            )
            photo.paste(colour, (30, 6, 60, 62))
            save(photo, tmp_path / "photos" / label / f"{number}.jpg")
    return str(tmp_path / "photos")


@pytest.fixture(autouse=True)
def every_figure_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "load_detector", lambda *_: FigureFinder().as_detector())


def test_photos_become_a_published_model_and_no_step_is_done_twice(
    cluster: S3Server, tiny: TinySearch, photos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.client.create_bucket(Bucket="models")

    def again() -> str:
        return run(photos, str(tmp_path / "run"), PREPARING, tiny.options(trials=1), "s3://models/gender")

    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted

    def done_twice(*_: object, **__: object) -> None:
        raise AssertionError("done twice")

    with monkeypatch.context() as patch:
        patch.setattr(module, "publish", interrupted)
        with pytest.raises(Interrupted):
            again()
    for name in ("prepare", "check_answered", "evaluate"):
        monkeypatch.setattr(module, name, done_twice)
    published = again()
    assert published.startswith("s3://models/gender/")
    classifier = Classifier.load(resolve("s3://models/gender/", tmp_path / "cache"), ON_TORCH)
    assert classifier.checkpoint.revision in published
    monkeypatch.setattr(module, "publish", done_twice)
    assert again() == published


def test_a_place_that_cannot_be_published_to_is_told_before_any_work(
    store: S3Server, tiny: TinySearch, photos: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="there is no such bucket"):
        run(photos, str(tmp_path / "run"), PREPARING, tiny.options(), "s3://nowhere/gender")
    assert not storage.exists(str(tmp_path / "run" / "run.json"))
    assert not (tmp_path / "run").exists()


def test_photos_of_val_that_nobody_would_answer_are_told_before_the_search(
    store: S3Server, tiny: TinySearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each photo has two figures, and there is no person filter to leave it out."""
    rng = np.random.default_rng(6)
    for label in ("female", "male"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(6):
            photo = Image.fromarray(rng.integers(40, 215, (8, 12), dtype=np.uint8)).resize((96, 64)).convert("RGB")
            photo.paste(RED, (6, 6, 26, 62))
            photo.paste(BLUE, (60, 6, 80, 62))
            save(photo, tmp_path / "photos" / label / f"{number}.jpg")

    def searched(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(module, "tune", searched)
    message = r"of the \d+ photos of the split 'val' none would be answered \(multiple_people: \d+\), so the step `evaluate` could not"
    with pytest.raises(InputError, match=message):
        run(str(tmp_path / "photos"), str(tmp_path / "run"), PREPARING, tiny.options())

"""A replica checks what it has loaded: it does not start with a model that answers otherwise than it did, nor exchange one for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import GOLDEN_FILE, CheckpointError, resolve
from serve_app.graph.colocated import ColocatedModels
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.pins import Pins
from serve_app.settings import Settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.detector import Detector
from serve_app.vision.golden import golden_of
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier, write_tiny_detector
from tests.unit.serve_app.graph.test_pins import Store


@pytest.fixture(autouse=True)
def pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cluster."""
    monkeypatch.setattr(Pins, "of_this_replica", lambda deploy, role: Pins(Store(), deploy))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, model_runtime="torch", model_cache_dir=tmp_path / "cache")


def classifier(folder: Path, *, wrong: bool = False) -> dict[str, Any]:
    write_tiny_classifier(folder)
    return {"model_uri": with_golden(folder, Classifier, wrong)}


def with_golden(folder: Path, kind: type[Classifier] | type[Detector], wrong: bool) -> str:
    golden = json.loads(golden_of(kind.load(resolve(str(folder), folder), ON_TORCH)))
    if wrong:
        golden |= {"margins": {number: margin + 1 for number, margin in golden.get("margins", {}).items()}}
        for boxes in golden.get("found", {}).values():
            boxes[0]["score"] += 0.2
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    return str(folder)


async def test_a_replica_with_a_model_that_answers_otherwise_does_not_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"4 of 4 answers .* instead of .* \(tolerance 0.25\)"):
        await GenderClassifier(settings, 1, 1).reconfigure(classifier(tmp_path / "wrong", wrong=True))


@pytest.mark.parametrize("wrong", ["detector", "classifier"])
async def test_nor_does_one_of_both_models(settings: Settings, tmp_path: Path, wrong: str) -> None:
    finder = with_golden(write_tiny_detector(tmp_path / "finder", "rt_detr", signal=True), Detector, wrong == "detector")
    models = ColocatedModels(settings, {"max_batch_size": 1, "threads": 1, "decode_threads": 1}, {"max_batch_size": 1, "threads": 1})
    with pytest.raises(CheckpointError, match="the self-test failed"):
        await models.reconfigure(
            {"detector": {"model_uri": finder}, "classifier": classifier(tmp_path / "teller", wrong=wrong == "classifier")}
        )


async def test_a_model_in_use_stays_until_another_one_passes(settings: Settings, tmp_path: Path) -> None:
    replica = GenderClassifier(settings, 1, 1)
    await replica.reconfigure(classifier(tmp_path / "right"))
    await replica.reconfigure(classifier(tmp_path / "wrong", wrong=True))
    await replica._slot.settled()
    described = await replica.describe()
    assert described.name == "right"
    assert "the self-test failed" in (described.fault or "")
    await replica.reconfigure(classifier(tmp_path / "better"))
    await replica._slot.settled()
    described = await replica.describe()
    assert (described.name, described.fault) == ("better", None)

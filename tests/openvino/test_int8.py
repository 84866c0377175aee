"""A classifier's int8 network: it is made, compared, published, and served where the processor is quick at it; else the weights answer."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serve_app.checkpoints import INT8_FILES, Checkpoint, resolve
from serve_app.checkpoints.card import weights_sha256
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes import openvino
from serve_app.runtimes.base import RunOptions
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.images import RGB
from tests.support.checkpoints import write_tiny_classifier
from tune_training import quantise as quantising
from tune_training.data.manifest import Manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.evaluate.card import BEGIN, END
from tune_training.evaluate.metrics_file import INT8, read_metrics, to_json
from tune_training.io.errors import InputError
from tune_training.publish import publish
from tune_training.quantise import Parity, quantise

CROPS = [np.random.default_rng(seed).integers(0, 256, (64, 32, 3), dtype=np.uint8) for seed in range(8)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A manifest of 40 training photos and 20 test photos: noise, which a tiny classifier tells apart as well as anything."""
    from PIL import Image

    root = tmp_path_factory.mktemp("photos")
    rows = []
    for number in range(60):
        name = f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (96, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
        label, split = ("female", "male")[number % 2], "train" if number < 40 else "test"
        rows.append(Photo(str(root), name, label, split, "web", head=(0.2, 0.1, 0.7, 0.4)))
    write_manifest(Manifest(rows, str(root)), str(root / "manifest.parquet"))
    return str(root / "manifest.parquet")


def write_judged(folder: Path) -> Path:
    """A tiny classifier as `evaluate` leaves it."""
    write_tiny_classifier(folder, views=("head", "person"))
    judge_again(folder)
    return folder


def judge_again(folder: Path) -> None:
    """Writes what `evaluate` writes; the metrics of an int8 network are gone."""
    metrics = {"weights_sha256": weights_sha256(folder), "revision": resolve(str(folder), folder).revision, "splits": {}}
    (folder / "metrics.json").write_text(to_json(metrics))
    (folder / "MODEL_CARD.md").write_text(f"# A card\n\n{BEGIN}\n{END}\n")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder of exported networks."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def quantised(photos: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A judged classifier with its int8 network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_CACHE_DIR", str(cache))
        get_settings.cache_clear()
        folder = write_judged(tmp_path_factory.mktemp("models") / "tiny")
        quantise(str(folder), photos)
        yield folder
    get_settings.cache_clear()


@pytest.fixture
def copied(quantised: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(quantised, tmp_path / "copied")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with VNNI; the tests' own may lack it, and runs int8 all the same."""
    monkeypatch.setattr(openvino, "_abilities", lambda: frozenset(["avx512_vnni"]))


def load(folder: Path, cache: Path, **options: object) -> Classifier:
    return Classifier.load(resolve(str(folder), cache), replace(RunOptions("cpu", "openvino", 1, cache), **options))  # type: ignore[arg-type] # each test names its own


def test_it_is_served_where_the_processor_is_quick_at_it_and_answers_nearly_alike(quantised: Path, quick: None, cache: Path) -> None:
    in_int8, in_float32 = load(quantised, cache), load(quantised, cache, precision="float32")
    assert (in_int8.precision, in_float32.precision) == ("int8", "float32")
    margins, exact = (each.margins(each.logits(CROPS)) for each in (in_int8, in_float32))
    assert not np.array_equal(margins, exact)
    np.testing.assert_allclose(margins, exact, atol=1)  # random weights are large


def test_other_processors_run_the_weights(quantised: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_abilities", lambda: frozenset(["avx2"]))
    assert load(quantised, cache).precision == "float32"


@pytest.mark.parametrize("name", INT8_FILES)
def test_it_makes_another_revision(copied: Path, tmp_path: Path, name: str) -> None:
    before = resolve(str(copied), tmp_path).revision
    (copied / name).unlink()
    assert resolve(str(copied), tmp_path).revision != before


def other_weights(folder: Path) -> None:
    write_tiny_classifier(folder, labels=("male", "female"), views=("head", "person"))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-2] + bytes([weights[-2] ^ 1, weights[-1]]))


def no_network(folder: Path) -> None:
    (folder / INT8_FILES[0]).write_text("<net>")


def half_a_network(folder: Path) -> None:
    file = folder / INT8_FILES[1]
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(("spoil", "said"), [(other_weights, "other weights"), (no_network, "cannot be read"), (half_a_network, "int8")])
def test_one_that_does_not_fit_is_told_and_the_weights_answer(
    copied: Path, quick: None, cache: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(copied)
    caplog.set_level(logging.WARNING, "serve_app")
    assert load(copied, cache).precision == "float32"
    assert "copied runs in float32" in caplog.text
    assert said in caplog.text


def test_the_card_and_the_metrics_tell_of_it(quantised: Path) -> None:
    metrics = read_metrics(quantised)
    assert metrics["revision"] == resolve(str(quantised), quantised).revision
    assert (metrics[INT8]["photos"], metrics[INT8]["split"]) == (20, "test")
    assert "Of 20 photos of test" in (quantised / "MODEL_CARD.md").read_text()


def test_it_is_published_with_the_weights(quantised: Path, tmp_path: Path) -> None:
    found = resolve(publish(str(quantised), str(tmp_path / "published")), tmp_path)
    assert all((found.path / name).read_bytes() == (quantised / name).read_bytes() for name in INT8_FILES)
    with pytest.raises(InputError, match="not published"):
        quantise(found.uri, "manifest.parquet")


def test_evaluated_anew_it_has_to_be_compared_anew(copied: Path, tmp_path: Path) -> None:
    ClassifierDecision(views=("head", "person"), temperature=2.0).write(copied)
    judge_again(copied)
    with pytest.raises(InputError, match="Run `quantise` again"):
        publish(str(copied), str(tmp_path / "published"))


def test_one_that_answers_otherwise_is_not_kept(photos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_judged(tmp_path / "tiny")

    class Opposite(Classifier):
        def __init__(self, runtime: object, decision: ClassifierDecision, checkpoint: Checkpoint) -> None:
            super().__init__(runtime, decision, checkpoint)  # type: ignore[arg-type] # as it was given
            self.opposite = getattr(runtime, "precision", "") == "int8"

        def logits(self, crops: list[RGB]) -> np.ndarray:  # type: ignore[override] # a fake
            return super().logits(crops)[:, :: -1 if self.opposite else 1]

    monkeypatch.setattr(quantising, "Classifier", Opposite)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=r"20 of 20 photos of web the other label"):
        quantise(str(folder), photos)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_was_not_evaluated_is_not_quantised(tmp_path: Path, photos: str) -> None:
    with pytest.raises(InputError, match="Run `evaluate --calibrate` first"):
        quantise(str(write_tiny_classifier(tmp_path / "tiny")), photos)


def parity(margins: list[float], in_int8: list[float], min_confidence: float = 0.9) -> Parity:
    """Of photos of one source, all of women."""
    both = np.array([margins, in_int8], dtype=np.float64)
    return Parity(["web"] * len(margins), np.ones(len(margins), dtype=bool), both, 1.0, min_confidence)


def test_of_few_photos_one_may_get_the_other_label_where_it_is_unsure() -> None:
    assert not parity([0.1] + [4.0] * 500, [-0.1] + [4.0] * 500).faults()
    assert (
        parity([0.1] * 3 + [4.0] * 500, [-0.1] * 3 + [4.0] * 500).faults()[0].startswith("it gives 3 of 503 photos of web the other label")
    )


def test_two_sure_answers_must_not_contradict_each_other() -> None:
    assert "1 photos get the other answer, and both are sure" in parity([4.0] * 1000, [-4.0] + [4.0] * 999).faults()


def test_accuracy_and_calibration_must_not_suffer() -> None:
    assert any("balanced accuracy" in fault for fault in parity([0.1] * 1000, [-0.1] * 4 + [0.1] * 996).faults())
    assert any("calibration error is" in fault for fault in parity([4.0] * 1000, [3.0] * 1000).faults())


def test_an_outcome_is_a_label_or_unsure() -> None:
    found = parity([4.0, 4.0, 0.1, 4.0], [4.0, 0.1, -0.1, 4.0]).to_metrics("test")
    assert (found["other_label"], found["other_outcome"]) == (0.25, 0.25)


def test_its_metrics_are_plain_json(quantised: Path) -> None:
    assert json.loads((quantised / "metrics.json").read_text())[INT8].keys() == {
        "split", "photos", "other_label", "other_outcome", "balanced_accuracy", "ece"
    }  # fmt: skip

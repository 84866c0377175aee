"""The packaged models are complete, and what is stated about them is what was measured."""

import hashlib
import json
from pathlib import Path

import pytest
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoModelForImageClassification, AutoModelForObjectDetection

from serve_app.checkpoints import INT8_FILES, resolve
from serve_app.checkpoints.decision import ClassifierDecision, Decision, DetectorDecision
from serve_app.runtimes.base import HEAD, LABELS, PERSON
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, EMBEDDED_WEIGHTS
from tune_training.evaluate.card import card_block, metrics_block

DETECTOR, CLASSIFIER = Path(EMBEDDED_DETECTOR), Path(EMBEDDED_CLASSIFIER)
FILES = {"config.json", "model.safetensors", "preprocessor_config.json", "decision.json", "metrics.json", "golden.json", "MODEL_CARD.md"}
README = Path(__file__).parents[3] / "README.md"

both = pytest.mark.parametrize("folder", [DETECTOR, CLASSIFIER], ids=lambda folder: folder.name)


def test_there_are_two_and_they_are_small() -> None:
    assert {path for path in EMBEDDED_WEIGHTS.iterdir() if path.is_dir()} == {DETECTOR, CLASSIFIER}
    assert sum(path.stat().st_size for path in EMBEDDED_WEIGHTS.rglob("*") if path.is_file()) <= 30_000_000


@both
def test_nothing_is_missing_and_nothing_is_left_over(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES | (set(INT8_FILES) if folder == CLASSIFIER else set())


@both
def test_the_metrics_are_of_these_weights(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["weights_sha256"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_classifiers_confidence_is_calibrated_and_its_groups_are_told_of() -> None:
    """The goal is a calibration error of at most 2 %, in the mean over framings."""
    test = json.loads((CLASSIFIER / "metrics.json").read_text(encoding="utf-8"))["splits"]["test"]
    assert test["mean_ece"]["value"] <= 0.02
    assert test["by"]["source"]["groups"]["utkface"]["ece"]["value"] <= 0.03
    assert {"age", "race"} <= test["by"].keys()


@pytest.mark.xfail(strict=True, reason="it is fitted to the mean over framings, and so near to 1 that the pooled error stays")
def test_the_temperature_lowers_the_pooled_calibration_error() -> None:
    test = json.loads((CLASSIFIER / "metrics.json").read_text(encoding="utf-8"))["splits"]["test"]
    assert test["calibration"]["after"]["ece"]["value"] < test["calibration"]["before"]["ece"]["value"]


def test_the_int8_network_was_compared_with_these_weights() -> None:
    metrics = json.loads((CLASSIFIER / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["int8"]["photos"] > 5000
    assert metrics["int8"]["other_label"] <= 0.005
    assert metrics["int8"]["other_outcome"] <= 0.005


def test_the_classifier_was_judged_behind_this_detector(tmp_path: Path) -> None:
    metrics = json.loads((CLASSIFIER / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["detector"] == resolve(str(DETECTOR), tmp_path).revision


@both
def test_weights_are_in_half_precision(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        types = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 - not a mapping
    assert "F16" in types
    assert not types & {"F32", "F64", "BF16"}


def test_the_detector_loads_with_transformers_alone() -> None:
    model, report = AutoModelForObjectDetection.from_pretrained(DETECTOR, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert set(model.config.id2label.values()) == {PERSON, HEAD}
    assert AutoImageProcessor.from_pretrained(DETECTOR, backend="pil")


def test_the_classifier_loads_with_transformers_alone() -> None:
    model, report = AutoModelForImageClassification.from_pretrained(CLASSIFIER, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert set(model.config.id2label.values()) == set(LABELS)
    assert AutoImageProcessor.from_pretrained(CLASSIFIER, backend="pil")


@pytest.mark.parametrize(("folder", "decision"), [(DETECTOR, DetectorDecision), (CLASSIFIER, ClassifierDecision)])
def test_the_decision_is_valid_and_complete(folder: Path, decision: type[Decision]) -> None:
    assert set(json.loads((folder / "decision.json").read_text(encoding="utf-8"))) == set(decision.model_fields)
    assert decision.read(folder)


@both
def test_the_card_states_the_metrics(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert card_block(metrics) in (folder / "MODEL_CARD.md").read_text(encoding="utf-8"), "run: python -m tune_training model-card"


def test_the_readme_states_the_metrics_of_both() -> None:
    assert metrics_block([DETECTOR, CLASSIFIER]) in README.read_text(encoding="utf-8"), "run: python -m tune_training model-card"

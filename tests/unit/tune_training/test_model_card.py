import json
from pathlib import Path
from typing import Any

import pytest

from tune_training.errors import InputError
from tune_training.model_card import BEGIN, END, metrics_block, metrics_table, write_block

COUNTS: dict[str, Any] = {
    "weights_sha256": "0" * 64,
    "data": ["person"],
    "person_count": {
        "test": {
            "photos": 40,
            "accuracy": 0.8251,
            "accuracy_by_count": {"0": 0.9, "2+": 0.75},
            "accuracy_by_source": {"sun": 0.9449, "voc": 0.8},
            "confusion_true_by_counted": {"0": [18, 1, 1], "1": [0, 0, 0], "2+": [2, 3, 15]},
        }
    },
}
ANSWERS: dict[str, Any] = {
    "weights_sha256": "1" * 64,
    "data": ["gender"],
    "detector": "abc",
    "answers": {
        "test": {
            "utkface": {
                "photos": 2159,
                "answered": 0.9912,
                "codes": {"ok": 2140},
                "balanced_accuracy": 0.9587,
                "recall": {"female": 0.9496, "male": 0.968},
                "expected_calibration_error": 0.0123,
            }
        },
        "val_lfw": {"lfw": {"photos": 3, "answered": 0.0, "codes": {"no_person": 3}}},
    },
}


def folder_with(path: Path, metrics: dict[str, Any]) -> Path:
    path.mkdir()
    (path / "metrics.json").write_text(json.dumps(metrics))
    return path


def test_the_table_of_a_detector() -> None:
    assert metrics_table(COUNTS).splitlines() == [
        "| people counted rightly | split | photos | accuracy |",
        "| --- | --- | ---: | ---: |",
        "| all | test | 40 | 82.5% |",
        "| people: 0 | test | 20 | 90.0% |",
        "| people: 2+ | test | 20 | 75.0% |",
        "| sun | test |  | 94.5% |",
        "| voc | test |  | 80.0% |",
    ]


def test_the_table_of_a_classifier() -> None:
    assert metrics_table(ANSWERS).splitlines() == [
        "| photos of one person each | split | photos | answered | balanced accuracy | recall female | recall male | ECE |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| utkface | test | 2159 | 99.1% | 95.9% | 95.0% | 96.8% | 1.2% |",
        "| lfw | val_lfw | 3 | 0.0% |  |  |  |  |",
    ]


def test_what_is_between_the_markers_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    detector, classifier = folder_with(tmp_path / "detector", COUNTS), folder_with(tmp_path / "classifier", ANSWERS)
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nAn end with a \\1 backslash.\n")
    write_block(readme, [detector, classifier])
    first = readme.read_text()
    assert first.startswith(f"# Title\n\n{BEGIN}\n\n| people counted")
    assert first.endswith(f"|\n\n{END}\n\nAn end with a \\1 backslash.\n")
    assert "old" not in first
    assert metrics_table(COUNTS) in first
    assert metrics_table(ANSWERS) in first
    assert metrics_block([detector, classifier]) in first
    write_block(readme, [detector, classifier])
    assert readme.read_text() == first


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"], ids=["none", "open", "reversed", "twice"])
def test_a_document_without_one_block_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    document = tmp_path / "MODEL_CARD.md"
    document.write_text(text)
    with pytest.raises(InputError, match=r"MODEL_CARD.md: it must contain <!-- metrics:begin -->"):
        write_block(document, [folder_with(tmp_path / "model", COUNTS)])
    assert document.read_text() == text


def test_a_model_that_was_not_evaluated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics.json is missing: python -m tune_training evaluate writes it"):
        metrics_block([tmp_path])

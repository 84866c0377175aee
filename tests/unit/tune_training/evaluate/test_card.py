import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import resolve
from tests.support.checkpoints import write_tiny_classifier
from tune_training.evaluate.card import BEGIN, END, card_block, card_of, metrics_block, with_block
from tune_training.evaluate.card_tables import metrics_table
from tune_training.evaluate.metrics_file import write_metrics
from tune_training.evaluate.scores import Estimate
from tune_training.io.errors import InputError

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


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


UTKFACE: dict[str, Any] = {
    "photos": 2159,
    "answered": estimate(0.9812),
    "accuracy": estimate(0.96),
    "balanced_accuracy": estimate(0.9587),
    "recall": {"female": estimate(0.9496), "male": estimate(0.968)},
    "ece": estimate(0.0123),
}
CHOSEN: dict[str, Any] = {
    "error_rate": 0.02,
    "threshold": 0.9,
    "chosen_on": "val",
    "coverage": estimate(0.8),
    "risk": estimate(0.015),
}
ANSWERS: dict[str, Any] = {
    "weights_sha256": "1" * 64,
    "data": "gender",
    "detector": "abc",
    "splits": {
        "test": {
            **UTKFACE,
            "calibration": {"before": {"ece": estimate(0.05)}, "after": {"ece": estimate(0.0123), "temperature": 0.6328}},
            "risk_coverage": CHOSEN,
            "by": {
                "source": {"groups": {"utkface": UTKFACE}},
                "age": {
                    "groups": {"20-29": UTKFACE, "70+": {"photos": 3, "answered": estimate(0.5)}},
                    "worst": "70+",
                    "best": "20-29",
                    "gap": estimate(0.1),
                },
            },
        },
        "val_lfw": {"photos": 3, "answered": estimate(0.0), "by": {}},
    },
}


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
        "| utkface | test | 2159 | 98.1% | 95.9% | 95.0% | 96.8% | 1.2% |",
        "| all | val_lfw | 3 | 0.0% |  |  |  |  |",
    ]


def test_a_card_tells_of_calibration_threshold_and_groups() -> None:
    block = card_block(ANSWERS)
    for line in (
        "ECE 5.0% (4.0 to 6.0) as trained, 1.2% (0.2 to 2.2) with the temperature 0.633.",
        "With a confidence of at least 0.900, chosen on val for 2.0% of wrong answers, 80.0% (79.0 to 81.0) of the photos are answered",
        "| age (test) | photos | answered | balanced accuracy | recall female | recall male | ECE |",
        "| 70+ | 3 | 50.0% (49.0 to 51.0) |  |  |  |  |",
        "Lowest balanced accuracy: 70+, 10.0% (9.0 to 11.0) below the highest, 20-29.",
    ):
        assert line in block
    assert "| source (test)" not in block  # one source: the first table has it all


def test_a_card_says_when_no_threshold_helps() -> None:
    test = {**ANSWERS["splits"]["test"], "risk_coverage": {**CHOSEN, "risk": None}}
    assert "No threshold on confidence, chosen on val, brings the wrong answers down to 2.0%." in card_block({"splits": {"test": test}})


def test_a_card_of_earlier_metrics_has_no_empty_sections() -> None:
    for absent in ("Mean over the framings", "label", "coverage", "None"):
        assert absent not in card_block(ANSWERS)


def test_a_card_tells_of_means_over_sources_of_women_and_men_apart_and_of_the_lowest_recall() -> None:
    selection = {"coverage": estimate(0.7), "risk": estimate(0.02)}
    labels = {"female": {"coverage": estimate(0.6), "risk": estimate(0.03)}, "male": {"coverage": estimate(0.8), "risk": None}}
    sure = {"confidence": 0.9, "by_label": {"female": {"answers": 120, "promised": 0.041, "observed": estimate(0.052)}}}
    found = {**UTKFACE, "selection": {**selection, "by_label": labels}, "errors_when_sure": sure}
    framing = {"answers": 60, "mean_balanced_accuracy": estimate(0.8), "mean_ece": estimate(0.07), "reliability": []}
    recalls = [{"label": "female", "group": "70+", "answers": 57, "recall": estimate(0.81)}]
    test = {
        **ANSWERS["splits"]["test"],
        "mean_balanced_accuracy": estimate(0.9),
        "mean_ece": estimate(0.03),
        "framings": {"body": framing, "face": framing},
        "errors_when_sure": sure,
        "risk_coverage": {**CHOSEN, **selection, "by_label": labels, "threshold": 0.873, "chosen_on": "decision.json"},
        "by": {"framing": {"groups": {"body": found, "face": found}}, "age": {"groups": {"70+": found}, "recalls": recalls}},
    }
    block = card_block({"splits": {"test": test}})
    measured = "60.0% (59.0 to 61.0) | 3.0% (2.0 to 4.0) | 120 | 4.1% | 5.2% (4.2 to 6.2)"
    for line in (
        "Answers with a confidence below 0.873 (`min_confidence`) are withheld as `unsure`: 70.0% (69.0 to 71.0) of the photos are",
        "Mean over the framings of the means over their sources: balanced accuracy 90.0% (89.0 to 91.0), ECE 3.0% (2.0 to 4.0).",
        "| body | 60 | 80.0% (79.0 to 81.0) | 7.0% (6.0 to 8.0) |",
        f"| all | female | {measured} |",
        f"| framing body | female | {measured} |",
        "| framing body | male | 80.0% (79.0 to 81.0) |  | 0 |  |  |",
        "| recall male | ECE | coverage | risk |",
        "| female | 70+ | 57 | 81.0% (80.0 to 82.0) |",
        "Lowest recall: female, age 70+, 81.0% (80.0 to 82.0).",
    ):
        assert line in block


def test_a_new_card_says_what_the_model_is(tmp_path: Path) -> None:
    checkpoint = resolve(str(write_tiny_classifier(tmp_path / "tiny")), tmp_path)
    card = card_of(checkpoint, ANSWERS)
    assert card.startswith("# tiny\n")
    assert "`ViTForImageClassification`, 0.0 million parameters, labels `female`, `male`" in card
    assert "resized to 32 x 32 pixels" in card
    assert card_block(ANSWERS) in card
    assert card_of(checkpoint, ANSWERS, card) == card


def test_what_is_between_the_markers_is_replaced_and_the_rest_stays() -> None:
    text = f"# Title\n\n{BEGIN}\nold\n{END}\n\nAn end with a \\1 backslash.\n"
    block = card_block(COUNTS)
    assert with_block(text, block, "x") == f"# Title\n\n{block}\n\nAn end with a \\1 backslash.\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"], ids=["none", "open", "reversed", "twice"])
def test_a_document_without_one_block_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"MODEL_CARD.md: it must contain <!-- metrics:begin -->"):
        with_block(text, card_block(COUNTS), "MODEL_CARD.md")


def test_a_model_that_was_not_evaluated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics.json is missing: python -m tune_training evaluate writes it"):
        metrics_block([tmp_path])


def test_metrics_name_the_weights_that_they_speak_of(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_metrics(tmp_path, {"answers": {"accuracy": Estimate(0.123456, 0.1, 0.2), "photos": 3, "roc_auc": float("nan")}}, "gender")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "data": "gender",
        "answers": {"accuracy": {"value": 0.1235, "low": 0.1, "high": 0.2}, "photos": 3, "roc_auc": None},
    }

"""A classifier is evaluated through the pipeline on drawn photos: what is written, cached, chosen and refused."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import GOLDEN_FILE, CheckpointError, resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.settings import get_settings
from serve_app.vision.drift import QUANTITIES, read_reference
from serve_app.vision.golden import check_golden
from tests.support.checkpoints import write_tiny_classifier
from tests.support.drawn_photos import FigureFinder, columns, draw, save, write_portraits
from tune_training.data.labelled_photos import read_labelled
from tune_training.evaluate import answers
from tune_training.evaluate import evaluation as module
from tune_training.evaluate.answers import judge as judge_photos
from tune_training.evaluate.evaluation import evaluate
from tune_training.evaluate.gallery import write_gallery
from tune_training.evaluate.metrics_file import write_metrics
from tune_training.io.errors import InputError
from tune_training.io.models import load_classifier


@pytest.fixture(autouse=True)
def finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FigureFinder]:
    """Replaces the detector with a fake; answers are cached in the test's folder."""
    found = FigureFinder()
    monkeypatch.setattr(module, "load_detector", lambda uri, threads: found.as_detector())
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    yield found
    get_settings.cache_clear()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_classifier(tmp_path / "tiny-vit")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Portraits with an age; the test split also has a photo of two people and a file that is not an image."""
    index = write_portraits(tmp_path / "portraits", ["val", "test"], photos=8)
    rows = list(csv.DictReader(index.read_text().splitlines()))
    save(draw(columns(2)), index.parent / "two.jpg")
    (index.parent / "none.jpg").write_text("no image")
    rows += [{"path": name, "split": "test", "gender": "male", "source": "body"} for name in ("two.jpg", "none.jpg")]
    with index.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "age"])
        writer.writeheader()
        writer.writerows({**row, "age": str(10 + 7 * (number % 9))} for number, row in enumerate(rows))
    return index


def judge(model: Path, data: Path, **options: Any) -> dict[str, Any]:
    return evaluate(str(model), str(data), threads=1, draws=100, **options)


def leaves(metrics: Any, path: str = "") -> dict[str, Any]:
    """Each value of nested metrics by its path."""
    if isinstance(metrics, list | tuple):
        metrics = dict(enumerate(metrics))
    if not isinstance(metrics, dict):
        return {path: metrics}
    return {name: leaf for key, item in metrics.items() for name, leaf in leaves(item, f"{path}/{key}").items()}


def test_refused_photos_are_part_of_the_result(model: Path, table: Path) -> None:
    metrics = judge(model, table)
    found = metrics["splits"]["test"]
    assert found["photos"] == 34
    assert found["codes"] == {"multiple_people": 1, "not_an_image": 1, "ok": 32}
    assert set(found["by"]) == {"source", "age"}
    assert found["by"]["source"]["groups"]["body"]["answered"].value == pytest.approx(16 / 18)
    assert found["risk_coverage"]["chosen_on"] == "val"


def test_what_is_written_beside_the_weights_says_the_same(model: Path, table: Path) -> None:
    metrics = judge(model, table)
    written = json.loads((model / "metrics.json").read_text())
    assert written["revision"] == metrics["revision"]
    assert written["splits"]["test"]["accuracy"]["value"] == pytest.approx(metrics["splits"]["test"]["accuracy"].value, abs=1e-4)
    card, report = (model / "MODEL_CARD.md").read_text(), (model / "report.html").read_text()
    assert "# tiny-vit" in card
    assert "| age (test) |" in card
    assert "must not be used for decisions about people" in card
    for expected in ("By age", "multiple_people 1", "<svg", "tiny-vit"):
        assert expected in report
    for absent in ("<script", "<img", str(table.parent), 'src="'):
        assert absent not in report


def test_what_the_validation_photos_look_like_is_kept_for_serving(model: Path, table: Path) -> None:
    judge(model, table)
    reference = read_reference(resolve(str(model), model))
    assert reference
    assert (reference.split, reference.photos) == ("val", 32)
    assert reference.shares["answer"] == {"answered": 1.0}
    assert tuple(reference.shares) == QUANTITIES
    # An answer that an earlier version cached says nothing about the look of the photo.
    (remembered,) = (table.parent.parent / "cache" / "answers").iterdir()
    lines = [json.loads(line)[:3] for line in remembered.read_text().splitlines()]
    remembered.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    judge(model, table)
    older = read_reference(resolve(str(model), model))
    assert older
    assert older.shares == {quantity: reference.shares[quantity] for quantity in ("answer", "label", "confidence")}


def test_serving_will_check_what_it_loads(model: Path, table: Path) -> None:
    judge(model, table)
    check_golden(load_classifier(str(model)))
    assert "margins" in json.loads((model / GOLDEN_FILE).read_text())


def test_a_second_run_asks_the_models_nothing_and_a_stopped_one_goes_on(
    model: Path, table: Path, finder: FigureFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judge(model, table)
    asked = finder.photos
    assert judge(model, table) == first
    assert finder.photos == asked

    (remembered,) = (table.parent.parent / "cache" / "answers").iterdir()
    lines = remembered.read_text().splitlines(keepends=True)
    remembered.write_text("".join(lines[:-3]) + lines[-3][:20])  # killed while writing
    # In a smaller batch the last bits of the logits may differ.
    assert leaves(judge(model, table)) == pytest.approx(leaves(first), nan_ok=True)
    assert finder.photos < asked + 5


def test_margins_are_of_the_logits_whatever_the_temperature(model: Path, table: Path) -> None:
    """Divided by a small temperature, all logits become probabilities of 0 and 1."""
    photos = read_labelled(str(table)).split("val")
    margins = []
    for temperature in (1.0, 1e-6):
        ClassifierDecision(temperature=temperature).write(model)
        teller = load_classifier(str(model))
        margins.append(judge_photos(photos, FigureFinder().as_detector(), teller, model.parent / str(temperature)).margins)
    np.testing.assert_allclose(margins[1], margins[0], atol=1e-5)
    assert np.abs(margins[0]).min() > 1e-4


@pytest.mark.parametrize("what", ["decoding", "person_rule"])
def test_answers_are_asked_anew_when_what_decides_them_has_changed(
    what: str, model: Path, table: Path, finder: FigureFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = read_labelled(str(table)).split("val")

    def asked() -> int:
        before = finder.photos
        judge_photos(photos, finder.as_detector(), load_classifier(str(model)), model.parent)
        return finder.photos - before

    all_of_them = asked()
    assert (all_of_them > 0, asked()) == (True, 0)
    monkeypatch.setattr(answers, what, lambda: "another one")
    assert asked() == all_of_them


def test_the_temperature_is_fitted_on_val_and_asked_for_nothing_again(model: Path, table: Path, finder: FigureFinder) -> None:
    before = judge(model, table)
    asked = finder.photos
    after = judge(model, table, calibrate=True)
    assert finder.photos == asked
    temperature = ClassifierDecision.read(model).temperature
    assert temperature == after["temperature"] != before["temperature"]
    calibration = after["splits"]["test"]["calibration"]
    assert calibration["before"]["ece"] == before["splits"]["test"]["ece"]
    assert calibration["after"]["ece"] == after["splits"]["test"]["ece"]
    val = judge(model, table, split=["val"])["splits"]["val"]["calibration"]
    assert val["after"]["negative_log_likelihood"] < val["before"]["negative_log_likelihood"]


def test_a_crop_is_chosen_and_its_answers_are_asked_anew(model: Path, table: Path, finder: FigureFinder) -> None:
    ClassifierDecision(crop_margin=0.33, temperature=2.0).write(model)
    judge(model, table)
    asked = finder.photos
    judge(model, table, choose_crop=True, calibrate=True)
    assert ClassifierDecision.read(model).crop_margin in (0.0, 0.1, 0.2)
    assert finder.photos > asked + 32


def test_what_the_service_would_withhold_as_unsure_is_evaluated_all_the_same(model: Path, table: Path, tmp_path: Path) -> None:
    found = judge(model, table)
    ClassifierDecision(min_confidence=1.0).write(model)
    shutil.rmtree(tmp_path / "cache" / "answers")
    withheld = judge(model, table)
    test = withheld["splits"]["test"]
    assert (withheld["min_confidence"], test["risk_coverage"]["threshold"]) == (1.0, 1.0)
    assert (test["risk_coverage"]["coverage"].value, test["risk_coverage"]["risk"]) == (0.0, None)
    assert test["by"]["source"]["groups"]["body"]["selection"]["coverage"].value == 0.0
    for name in ("codes", "answered", "recall", "mean_balanced_accuracy", "calibration", "framings"):
        assert leaves(test[name]) == pytest.approx(leaves(found["splits"]["test"][name]), nan_ok=True)


def test_the_gallery_shows_the_mistakes_of_each_group_and_nothing_else(model: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="errors.html shows photos, which are not put beside weights"):
        judge(model, table, gallery=3)
    out = tmp_path / "out"
    found = judge(model, table, gallery=3, out=str(out))["splits"]["test"]  # takes all for men
    page = (out / "errors.html").read_text()
    assert found["confusion"] == [[0, 16], [0, 16]]
    assert "test, all photos: 16 of 32 answers are wrong" in page
    assert "test, female, age 60-69: " in page
    assert "male, age" not in page.replace("female, age", "")
    assert page.count("<h2>") >= 5
    assert 3 * 5 <= page.count("data:image/jpeg;base64,") == page.count("labelled female, answered male") <= 3 * page.count("<h2>")
    assert "test/female/face_0.jpg" in page
    assert str(table.parent) not in page
    assert not re.search(r"""(src|href)=["']?https?:|<script""", page)
    assert "<img" not in (out / "report.html").read_text()


def test_the_gallery_says_which_mistakes_are_the_most_confident_and_leaves_out_what_is_unsure(
    model: Path, table: Path, finder: FigureFinder
) -> None:
    photos = read_labelled(str(table)).split("test")
    teller = load_classifier(str(model))
    answers = judge_photos(photos, finder.as_detector(), teller, model.parent)
    wrong = np.flatnonzero(answers.answered & ~answers.right)
    most = max(answers.confidence[wrong])
    page = write_gallery({"test": (photos, answers)}, 1, finder.as_detector(), teller, "portraits")
    assert f"labelled female, answered male, {most:.1%}" in page.partition("<h2>test, female")[0]
    sure = load_classifier(str(decided(model, min_confidence=0.99)))
    assert "There are none" in write_gallery({"test": (photos, answers)}, 1, finder.as_detector(), sure, "portraits")


def decided(model: Path, **decision: float) -> Path:
    ClassifierDecision(**decision).write(model)
    return model


def test_what_was_published_is_not_touched(model: Path, table: Path, tmp_path: Path) -> None:
    (model / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="nothing is written beside published weights. Name a folder for the report: --out"):
        judge(model, table)
    with pytest.raises(InputError, match="was not published"):
        judge(model, table, calibrate=True, out=str(tmp_path / "out"))


def test_a_photo_that_has_changed_since_is_named(model: Path, table: Path) -> None:
    data = read_labelled(str(table))
    changed = [replace(photo, sha256="0" * 64) for photo in data.photos]
    with pytest.raises(InputError, match=r"\.jpg: the photo has changed since the manifest was made"):
        judge_photos(changed, FigureFinder().as_detector(), load_classifier(str(model)), model.parent)


def test_framings_of_the_table_are_compared_and_shown(model: Path, table: Path) -> None:
    rows = list(csv.DictReader(table.read_text().splitlines()))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "framing"])
        writer.writeheader()
        writer.writerows({**row, "framing": "whole body" if row["source"] == "body" else "face"} for row in rows)
    found = judge(model, table, calibrate=True)["splits"]["test"]
    assert {name: framing["answers"] for name, framing in found["framings"].items()} == {"face": 16, "whole body": 16}
    means = [framing["mean_balanced_accuracy"].value for framing in found["framings"].values()]
    assert found["mean_balanced_accuracy"].value == pytest.approx(sum(means) / 2)
    card, report = (model / "MODEL_CARD.md").read_text(), (model / "report.html").read_text()
    assert "| framing (test) |" in card
    for expected in ("whole body: 16 answers", "Women and men apart", "framing face"):
        assert expected in report


class TestAModelThatWasTrainedOnTrainAndVal:
    """`train --folds` writes such metrics."""

    @pytest.fixture
    def folded(self, model: Path) -> Path:
        share = {"value": 0.875, "low": 0.8, "high": 0.95}
        by_fold = [{"fold": number, "photos": 12, "epochs": 2, "balanced_accuracy": 0.9, "accuracy": 0.85} for number in (1, 2)]
        estimate = {"photos": 24, "balanced_accuracy": share, "accuracy": share}
        found = {"folds": 2, "epochs": 2, "epochs_planned": 3, "estimate": estimate, "by_fold": by_fold}
        write_metrics(model, {"folds": found, "splits": {}}, "mine")
        return model

    def test_the_estimate_of_its_folds_stays(self, folded: Path, table: Path) -> None:
        found = judge(folded, table)["folds"]
        assert judge(folded, table)["folds"] == found == json.loads((folded / "metrics.json").read_text())["folds"]
        card = (folded / "MODEL_CARD.md").read_text()
        assert "**2 folds**: 24 photos, each answered by a model that was trained on the other folds: balanced accuracy 87.5%" in card
        assert "| 1 | 12 | 2 | 90.0% | 85.0% |" in card

    def test_nothing_is_chosen_on_what_it_has_seen(self, folded: Path, table: Path) -> None:
        with pytest.raises(InputError, match="it was trained on 'val', too, so nothing can be chosen there"):
            judge(folded, table, calibrate=True)
        assert judge(folded, table)["splits"]["test"]["risk_coverage"]["chosen_on"] != "val"

    def test_it_is_not_judged_by_what_it_has_seen(self, folded: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="the model was trained on all of these photos, so they cannot judge it"):
            judge(folded, write_portraits(tmp_path / "seen", ["train", "val"], photos=2))

    def test_other_weights_are_not_of_these_folds(self, folded: Path, table: Path) -> None:
        write_tiny_classifier(folded, views=("head", "person"))
        assert "folds" not in judge(folded, table)


def test_a_split_and_a_column_that_are_not_there_are_named(model: Path, table: Path) -> None:
    with pytest.raises(InputError, match="no photos of the split 'holdout', only of test, val"):
        judge(model, table, split=["holdout"])
    with pytest.raises(InputError, match="there is no column hair, only source, age"):
        judge(model, table, by=["hair"])


def test_a_model_that_is_nowhere_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder .*nowhere"):
        evaluate(str(tmp_path / "nowhere"), str(tmp_path / "table.csv"))

"""A folder gets the service's answers, whatever is in it, and a killed run resumes."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoImageProcessor, AutoModelForImageClassification, AutoModelForObjectDetection

from serve_app.checkpoints import resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.codes import MEANINGS, Code
from serve_app.http.answers import Answer
from serve_app.question import People
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, Settings, get_settings
from serve_app.vision.pipeline import Outcome
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier, write_tiny_detector
from tests.support.data_sets import write_photo
from tests.support.photos import cameraman, cat, two_people
from tests.support.s3 import S3Server, s3_server
from tests.support.service import ROOT
from tune_training import predict as predicting
from tune_training.data.labelling import by_table
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.parts import Parts
from tune_training.io.storage import find_files
from tune_training.io.workers import work_on
from tune_training.predict import predict, predict_all_images_in_folder, predict_command
from tune_training.predict.table import SCHEMA, rows_of, summary
from tune_training.predict.unsure import UnsureFolder

CODES = {
    "a/one.jpg": "ok",
    "a/two.jpg": "multiple_people",
    "broken.jpg": "corrupt_image",
    "cat": "no_person",
    "large.jpg": "image_too_large",
    "text.png": "not_an_image",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_photo(folder / "a" / "one.jpg", cameraman())
    write_photo(folder / "a" / "two.jpg", two_people())
    write_photo(folder / "broken.jpg", cameraman()[:9000])
    write_photo(folder / "cat", cat())
    write_photo(folder / "large.jpg", bytes(Settings.model_fields["max_image_bytes"].default + 1))
    write_photo(folder / "text.png", b"no image")
    write_photo(folder / "index.csv", b"path,label\n")
    return folder


@pytest.fixture(scope="module")
def answers(photos: Path) -> list[dict[str, Any]]:
    return predict_all_images_in_folder(str(photos))


def test_each_photo_is_a_row_with_its_code(answers: list[dict[str, Any]]) -> None:
    assert {row["path"]: row["code"] for row in answers} == CODES
    assert [row["path"] for row in answers] == sorted(CODES)


def test_the_rows_say_what_the_service_says(answers: list[dict[str, Any]]) -> None:
    by_path = {row["path"]: row for row in answers}
    one, two = by_path["a/one.jpg"], by_path["a/two.jpg"]
    assert one["prediction"] in ("female", "male")
    assert one["confidence"] == max(one["probabilities"].values()) == one["probabilities"][one["prediction"]]
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert one["error"] is None
    assert (one["person_count"], len(one["people"]), two["person_count"], len(two["people"])) == (1, 1, 2, 2)
    assert two["error"] == "Multiple people detected (2 people). Please use single-person images."
    assert (two["prediction"], two["confidence"], two["probabilities"]) == (None, 0.0, None)
    assert by_path["broken.jpg"]["error"] == "The image is damaged and cannot be read whole"
    for row in answers:
        assert row["detector"].startswith("person-detector@") and row["classifier"].startswith("gender-classifier@")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_the_formats_hold_the_same(
    suffix: str, photos: Path, answers: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        predicting, "work_on", lambda names, *_: iter([predicting._table([row for row in answers if row["path"] in names])])
    )
    out = tmp_path / f"answers.{suffix}"
    predict(str(photos), str(out))
    if suffix == "parquet":
        rows = rows_of(pq.read_table(out))
    elif suffix == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
        assert rows[0]["probabilities"] == json.dumps(answers[0]["probabilities"])
        rows = [row | {"people": json.loads(row["people"])} for row in rows]
        answers = [
            {key: value if key == "people" else "" if value is None else str(value) for key, value in row.items()} for row in answers
        ]
        rows[0]["probabilities"] = answers[0]["probabilities"]
    assert rows == answers
    assert list(tmp_path.iterdir()) == [out]


def test_the_summary_counts_codes_and_predictions(photos: Path, answers: list[dict[str, Any]]) -> None:
    text = summary(predicting._table(answers))
    assert text.startswith("6 photos\n")
    assert "  no_person: 1" in text
    assert "  ok: 1 (" in text


def test_each_person_has_an_answer_where_asked_for(tmp_path: Path, answers: list[dict[str, Any]]) -> None:
    folder = tmp_path / "photos"
    for name, photo in (("one.jpg", cameraman()), ("two.jpg", two_people())):
        write_photo(folder / name, photo)
    table = predict(str(folder), people=People.EACH)
    one, two = rows_of(table)
    alone = next(row for row in answers if row["path"] == "a/one.jpg")
    (person,) = one["people"]
    for about in (one, person):
        assert {key: about[key] for key in ("code", "prediction")} == {key: alone[key] for key in ("code", "prediction")}
        assert about["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-3)
    assert (two["prediction"], two["probabilities"], len(two["people"])) == (None, None, 2)
    assert two["code"] == ("ok" if any(each["prediction"] for each in two["people"]) else "unsure")
    assert all(sum(each["probabilities"].values()) == pytest.approx(1) for each in two["people"])
    assert "\n3 people: " in summary(table)


PHOTOS = 24

SLOW = """
import sys, time
from tune_training import predict
from tune_training.io import parts, workers
parts.FLUSH_S = -1  # each task is kept at once
workers.TASK = 1
print(len(predict.predict(sys.argv[1], sys.argv[2])), flush=True)
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(PHOTOS):
        write_photo(tmp_path / "photos" / f"{number:03d}.jpg", cat())
    out = tmp_path / "answers.parquet"
    parts = tmp_path / "answers.parquet.parts"
    with subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path / "photos"), str(out)]) as run:
        deadline = time.monotonic() + 120
        while not list(parts.glob("[!.]*.parquet")):
            assert run.poll() is None and time.monotonic() < deadline
        processes = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive, "workers outlive the run that was killed"
    assert not out.exists()
    kept = len(list(parts.glob("[!.]*.parquet")))
    left: list[Sequence[str]] = []

    def record(names: Sequence[str], *arguments: Any) -> Any:
        left.append(names)
        return work_on(names, *arguments)

    monkeypatch.setattr(predicting, "work_on", record)
    assert predict(str(tmp_path / "photos"), str(out))["path"].to_pylist() == [f"{number:03d}.jpg" for number in range(PHOTOS)]
    assert len(left[0]) == PHOTOS - kept
    assert not parts.exists()


def test_what_was_kept_of_another_file_or_another_model_is_not_taken(tmp_path: Path, answers: list[dict[str, Any]]) -> None:
    write_photo(tmp_path / "photos" / "a.jpg", b"no image")
    out = tmp_path / "answers.jsonl"
    kept = answers[0] | {"path": "a.jpg"}
    [file] = find_files(str(tmp_path / "photos"))
    version = predicting._version(file, 0)
    for row, found in (
        (kept | {"version": version}, "ok"),
        (kept | {"version": "older"}, "not_an_image"),
        (kept | {"version": version, "detector": "person-detector@other"}, "not_an_image"),
    ):
        parts = Parts(f"{out}.parts", predicting._KEPT)
        parts.add(pa.Table.from_pylist([row], predicting._KEPT))
        parts.flush()
        assert predict(str(tmp_path / "photos"), str(out))["code"].to_pylist() == [found]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="data")
        yield server


def test_it_works_from_s3_to_s3(s3: S3Server) -> None:
    s3.put("data", "photos/one.jpg", cameraman())
    predict("s3://data/photos/", "s3://data/answers.jsonl")
    row = json.loads(s3.client.get_object(Bucket="data", Key="answers.jsonl")["Body"].read())
    assert (row["path"], row["code"]) == ("one.jpg", "ok")
    assert [item["Key"] for item in s3.client.list_objects_v2(Bucket="data")["Contents"]] == ["answers.jsonl", "photos/one.jpg"]


class Faulty:
    """A fake pipeline that fails for one photo, and with it the whole batch."""

    def __call__(self, images: Sequence[bytes]) -> list[Outcome]:
        if b"bad" in images:
            raise FloatingPointError
        return [Outcome(Code.NO_PERSON, []) for _ in images]


def test_a_fault_and_a_missing_file_take_nothing_from_other_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "RunOptions", SimpleNamespace(of=lambda *_, **__: ON_TORCH))  # see tests/conftest.py
    for name in ("a", "bad", "c"):
        (tmp_path / name).write_bytes(name.encode())
    predictor = predicting.Predictor(str(tmp_path), EMBEDDED_DETECTOR, EMBEDDED_CLASSIFIER)
    predictor._pipeline = Faulty()  # type: ignore[assignment]
    rows = {row["path"]: row["code"] for row in predictor(["a", "bad", "c", "gone"]).to_pylist()}
    assert rows == {"a": "no_person", "bad": "internal", "c": "no_person", "gone": "not_found"}


def test_an_unsure_answer_has_probabilities_and_no_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "RunOptions", SimpleNamespace(of=lambda *_, **__: ON_TORCH))  # see tests/conftest.py
    write_photo(tmp_path / "photos" / "one.jpg", cameraman())
    teller = write_tiny_classifier(tmp_path / "teller")
    ClassifierDecision(min_confidence=1.0).write(teller)
    table = predicting.Predictor(str(tmp_path / "photos"), EMBEDDED_DETECTOR, str(teller))(["one.jpg"])
    [row] = table.to_pylist()
    assert (row["code"], row["prediction"], row["confidence"], row["person_count"]) == ("unsure", None, 0.0, 1)
    assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert row["error"] == MEANINGS[Code.UNSURE].text
    assert summary(table) == "1 photos\n  unsure: 1"


@pytest.mark.parametrize(
    ("out", "message"),
    [("answers.xlsx", "must end with .parquet, .csv, .jsonl"), ("photos/text.png/answers.csv", "nothing can be written there")],
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(out: str, message: str, photos: Path) -> None:
    with pytest.raises(InputError, match=message):
        predict(str(photos), str(photos / out.removeprefix("photos/")))


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("x")
    with pytest.raises(InputError, match="none has the name of a photo"):
        predict(str(tmp_path))


def test_the_keys_are_those_of_the_services_answers() -> None:
    assert set(SCHEMA.names) == set(Answer.model_fields) - {"request_id", "model"} | {"path", "detector", "classifier"}


def test_photos_that_were_not_read_have_their_cause_end_in_an_error_and_are_tried_again(
    photos: Path, answers: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []

    def work(names: Sequence[str], *_: object) -> Iterator[pa.Table]:
        asked.append(names)
        first = len(asked) == 1
        lost = {"code": "not_found", "error": "access is denied", "prediction": None}
        yield predicting._table([row | lost if first and row["path"] == "cat" else row for row in answers if row["path"] in names])

    monkeypatch.setattr(predicting, "work_on", work)
    out = str(tmp_path / "answers.jsonl")
    with pytest.raises(Incomplete, match=r"1 photos were not read \(1: access is denied\)"):
        predict_command(str(photos), out)
    assert {row["path"]: row["code"] for row in map(json.loads, Path(out).read_text().splitlines())} == CODES | {"cat": "not_found"}
    predict_command(str(photos), out)
    assert asked[1] == ["cat"]
    assert {row["path"]: row["code"] for row in map(json.loads, Path(out).read_text().splitlines())} == CODES
    assert list(tmp_path.iterdir()) == [Path(out)]


def test_a_name_that_is_no_text_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "work_on", lambda *_: iter(()))
    write_photo(tmp_path / "photos" / "a.jpg", b"")
    os.rename(tmp_path / "photos" / "a.jpg", os.fsencode(tmp_path) + b"/photos/caf\xe9.jpg")
    [row] = predict_all_images_in_folder(str(tmp_path / "photos"), out=str(tmp_path / "answers.csv"))
    assert (row["path"], row["code"], row["error"]) == ("caf\\xe9.jpg", "not_found", "the name of the file is not UTF-8: rename it")


def test_a_plain_script_gets_the_answers_too(photos: Path, tmp_path: Path) -> None:
    """Processes that are spawned run the script again, unless its work is below `if __name__ == "__main__":`, as in no first try it is."""
    script = tmp_path / "script.py"
    script.write_text(f"""
from tune_training.predict import predict_all_images_in_folder
answers = predict_all_images_in_folder({str(photos)!r})
print({{row["path"]: row["code"] for row in answers}} == {CODES!r})
""")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    assert run.stdout == "True\n"
    assert "put what the script does below `if __name__ == '__main__':`" in run.stderr


@pytest.fixture
def unsure(photos: Path, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is unsure of two photos, of "cat" more than of "a/one.jpg"."""
    shares = {"a/one.jpg": {"female": 0.3, "male": 0.7}, "cat": {"female": 0.55, "male": 0.45}}
    rows = [row | {"code": "unsure", "probabilities": shares[row["path"]]} if row["path"] in shares else row for row in answers]
    monkeypatch.setattr(predicting, "work_on", lambda names, *_: iter([predicting._table([row for row in rows if row["path"] in names])]))


def collected(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "labels.csv").read_text())))


@pytest.mark.usefixtures("unsure")
def test_photos_that_the_model_is_unsure_of_are_collected_to_be_labelled(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "unsure"
    predict_command(str(photos), str(tmp_path / "answers.csv"), unsure_to=str(folder))
    said = capsys.readouterr().out
    assert f"2 photos came to {folder}" in said and f"prepare {folder} --labels {folder}/labels.csv" in said
    cat_row, one = collected(folder)
    assert (cat_row["original"], one["original"]) == (str(photos / "cat"), str(photos / "a/one.jpg"))
    assert (cat_row["label"], cat_row["probability_female"], one["probability_male"]) == ("", "0.5500", "0.7000")
    assert (folder / cat_row["path"]).read_bytes() == cat() and (folder / one["path"]).read_bytes() == cameraman()
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(",,0.5500", ",female,0.5500"))
    kept, rejects = by_table(str(folder), find_files(str(folder)), str(table))
    assert [(photo.name, photo.label) for photo in kept] == [(cat_row["path"], "female")]
    assert [reject.uri for reject in rejects] == [one["path"]]


@pytest.mark.usefixtures("unsure")
def test_labels_that_somebody_wrote_are_never_lost(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unsure"
    predict_command(str(photos), str(tmp_path / "answers.csv"), unsure_to=str(folder))
    table = folder / "labels.csv"
    header, first, _ = table.read_text().splitlines()
    labelled = f"{header}\n{first.replace(',,', ',female,')}"  # one row was deleted, and its photo; and there is no last line break
    (folder / collected(folder)[1]["path"]).unlink()
    table.write_text(labelled)
    predict_command(str(photos), str(tmp_path / "answers.csv"), unsure_to=str(folder))
    assert table.read_text().startswith(f"{labelled}\n")
    assert [row["label"] for row in collected(folder)] == ["female", ""]
    assert all((folder / row["path"]).exists() for row in collected(folder))
    before = table.read_bytes()
    predict_command(str(photos), str(tmp_path / "answers.csv"), unsure_to=str(folder))
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("folder", "message"), [("s3://data/unsure", "Name a folder of this machine"), ("mine", "it has not the columns path, label, prob")]
)
def test_a_place_for_unsure_photos_that_cannot_be_used_is_told_before_any_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/labels.csv").write_text("file;label\n")
    monkeypatch.setattr(predicting, "predict", None)
    with pytest.raises(InputError, match=message):
        predict_command(str(photos), "answers.csv", unsure_to=folder)


def test_unsure_photos_come_from_s3_too_and_never_leave_the_folder(s3: S3Server, tmp_path: Path) -> None:
    s3.put("data", "photos/../../escaped.jpg", b"a photo")
    collecting = UnsureFolder(str(tmp_path / "unsure"))
    answer = {"path": "../../escaped.jpg", "probabilities": {"female": 0.5, "male": 0.5}}
    collecting.add("s3://data/photos", [answer, answer | {"path": "gone.jpg"}])
    [row] = collected(tmp_path / "unsure")
    assert row["original"] == "s3://data/photos/../../escaped.jpg"
    assert (tmp_path / "unsure" / row["path"]).resolve().parent == tmp_path / "unsure" / "photos"
    assert (collecting.added, len(collecting.unread)) == (1, 1)


@pytest.mark.parametrize("given", ["names", "models", "pipelines"])
def test_the_originals_call_form_works(given: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`predict_all_images_in_folder(folder, bucket, model, processor, detector)`, with what a notebook has in memory."""
    asked: list[list[str]] = []

    def work(names: Sequence[str], load: partial[Any], *_: object) -> Iterator[pa.Table]:
        source, *models = load.args
        asked.append([source, *models])
        assert ClassifierDecision.read(Path(models[1])).temperature == 2
        yield predicting._table([predicting._refusal(name, Code.NO_PERSON, [resolve(uri, tmp_path) for uri in models]) for name in names])

    monkeypatch.setattr(predicting, "work_on", work)
    s3.put("data", "photos/one.jpg", b"a photo")
    teller, finder = write_tiny_classifier(tmp_path / "teller"), write_tiny_detector(tmp_path / "finder", "deimv2", ("dog", "person"))
    ClassifierDecision(temperature=2).write(teller)
    model: Any = AutoModelForImageClassification.from_pretrained(teller)
    processor: Any = AutoImageProcessor.from_pretrained(teller)
    detector: Any = AutoModelForObjectDetection.from_pretrained(finder)
    if given == "names":
        model, processor, detector = str(teller), None, finder
    if given == "pipelines":
        model, processor = SimpleNamespace(model=model, image_processor=processor), None
        detector = SimpleNamespace(model=detector, image_processor=AutoImageProcessor.from_pretrained(finder))
    [row] = predict_all_images_in_folder("photos", "data", model, processor, detector)
    assert (row["path"], row["code"]) == ("one.jpg", "no_person")
    [[source, finding, telling]] = asked
    assert source == "s3://data/photos"
    if given == "names":
        assert (finding, telling) == (str(finder), str(teller))
    else:
        assert row["classifier"].startswith("ViTForImageClassification@") and row["detector"].startswith("Deimv2ForObjectDetection@")
        assert not Path(telling).exists() and not Path(finding).exists()


def test_what_is_no_model_and_no_bucket_is_told(photos: Path) -> None:
    with pytest.raises(InputError, match="int is no model: give a URI, a folder, or a model or a pipeline of transformers"):
        predict_all_images_in_folder(str(photos), model=3)
    with pytest.raises(InputError, match=r"'answers.csv': this is taken for a bucket. Write out='answers.csv'"):
        predict_all_images_in_folder(str(photos), "answers.csv")


def test_answers_that_were_kept_are_not_taken_after_the_limits_of_decoding_changed(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = find_files(str(photos))[0]
    before = predicting._version(file, 0)
    assert predicting._version(file, 0) == before
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "1000")
    get_settings.cache_clear()
    after = predicting._version(file, 0)
    monkeypatch.undo()
    get_settings.cache_clear()
    assert after != before

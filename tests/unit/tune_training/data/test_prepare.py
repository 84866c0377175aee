"""From photos to a manifest: bad photos are left out and listed, good ones are split, and a second run repeats no work."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve_app.codes import Code
from serve_app.vision.detector import Detector
from tests.support.data_sets import blots, write_photo
from tests.support.drawn_photos import FigureFinder, draw, head_of, relative, save
from tests.support.photos import astronaut, cat, two_people
from tests.support.s3 import Cut, S3Server, s3_server
from tune_training.data import examine as examining
from tune_training.data.examine import examine
from tune_training.data.manifest import read_manifest
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.data.prepare import Prepared, PrepareOptions, prepare
from tune_training.io.errors import Incomplete, InputError
from tune_training.io.models import decoding
from tune_training.io.workers import Engine, work_on

UNFILTERED = PrepareOptions(person_filter=False, engine=Engine.LOCAL)
FILTERED = PrepareOptions(engine=Engine.LOCAL)
EACH = 20  # good photos of each label


def smaller(photo: Image.Image) -> Image.Image:
    return photo.resize((photo.width * 2 // 3, photo.height * 2 // 3))


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good photos and one of each kind of bad photo."""
    folder = tmp_path_factory.mktemp("messy")
    for number in range(EACH):
        write_photo(folder / "shop" / "female" / f"{number:02d}.jpg", blots(number))
        write_photo(folder / "shop" / "male" / f"{number:02d}.png", blots(100 + number, (96, 60)))
    write_photo(folder / "male" / "near_the_first.jpg", smaller(blots(100, (96, 60))))
    write_photo(folder / "male" / "tiny.jpg", blots(500, (30, 200)))
    write_photo(folder / "male" / "broken.jpg", (folder / "shop" / "female" / "00.jpg").read_bytes()[:400])
    write_photo(folder / "male" / "text.jpg", b"no image")
    write_photo(folder / "a_copy_female.jpg", (folder / "shop" / "female" / "00.jpg").read_bytes())
    write_photo(folder / "contradicting_male.jpg", (folder / "shop" / "female" / "01.jpg").read_bytes())
    write_photo(folder / "alike_male.png", smaller(blots(2)))
    write_photo(folder / "nobody_knows.jpg", blots(501))
    write_photo(folder / "notes.txt", b"not about photos")
    turned = blots(502, (96, 128))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned_male.jpg", exif=exif)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def prepared(messy: Path, out: Path) -> Prepared:
    return prepare(str(messy), str(out), UNFILTERED)


def test_what_is_wrong_is_left_out_by_name(prepared: Prepared, out: Path) -> None:
    reasons = {reject.uri: reject.reason for reject in prepared.rejects}
    assert reasons == {
        "alike_male.png": "conflicting_labels",
        "contradicting_male.jpg": "conflicting_labels",
        "male/broken.jpg": "corrupt_image",
        "male/text.jpg": "not_an_image",
        "male/tiny.jpg": "too_small",
        "nobody_knows.jpg": "unlabelled",
        "shop/female/00.jpg": "duplicate",
        "shop/female/01.jpg": "conflicting_labels",
        "shop/female/02.jpg": "conflicting_labels",
    }
    rows = list(csv.DictReader(io.StringIO((out / "rejects.csv").read_text())))
    assert {row["uri"]: row["reason"] for row in rows} == reasons
    assert next(row["detail"] for row in rows if row["uri"] == "alike_male.png") == "looks like shop/female/02.jpg"


def test_the_rest_is_in_the_manifest_with_its_facts(prepared: Prepared, messy: Path, out: Path) -> None:
    manifest = read_manifest(str(out / "manifest.parquet"))
    assert manifest == prepared.manifest
    assert manifest.source == str(messy)
    assert {row.name for row in manifest.photos} | {reject.uri for reject in prepared.rejects} == {
        path.relative_to(messy).as_posix() for path in messy.rglob("*.*") if path.suffix != ".txt"
    }
    by_uri = {row.name: row for row in manifest.photos}
    row = by_uri["shop/male/03.png"]
    assert (row.label, row.source, row.width, row.height, row.bytes) == ("male", "shop", 96, 60, (messy / row.name).stat().st_size)
    assert row.box == WHOLE_PHOTO
    assert (by_uri["turned_male.jpg"].width, by_uri["turned_male.jpg"].height) == (128, 96)


def test_splits_have_both_labels_and_about_their_shares(prepared: Prepared) -> None:
    by_uri = {row.name: row.split for row in prepared.manifest.photos}
    counts = prepared.manifest.splits
    assert counts.keys() == {"train", "val", "test"}
    assert counts["train"] == pytest.approx(0.8 * len(by_uri), abs=6)
    for split in counts:
        assert {row.label for row in prepared.manifest.split(split)} == {"female", "male"}


def test_the_report_shows_photos_and_names_what_was_left_out(prepared: Prepared, out: Path) -> None:
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= len(prepared.manifest.photos)
    for reject in prepared.rejects:
        assert reject.uri in page
    assert not re.search(r"""(src|href)=["']?https?:|url\((?!#)|<script""", page)  # it opens offline
    assert str(len(prepared.manifest.photos)) in page


def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Records the names that each examination works on from now on."""
    calls: list[Sequence[str]] = []

    def record(names: Sequence[str], *arguments: object) -> object:
        calls.append(names)
        return work_on(names, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(examining, "work_on", record)
    return calls


def test_a_second_run_looks_into_nothing_and_finds_the_same(
    prepared: Prepared, messy: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked(monkeypatch)
    assert prepare(str(messy), str(out), UNFILTERED) == prepared
    assert calls == [[]]


def test_only_new_photos_are_looked_into_and_known_content_keeps_what_was_found(
    prepared: Prepared, messy: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked(monkeypatch)
    name = "shop/male/00.png"
    os.utime(messy / name, ns=(1, 1))  # as after a copy of the folder
    assert prepare(str(messy), str(out), UNFILTERED).manifest == prepared.manifest
    assert calls == [[name]]


DIES = """
import os, signal, sys
from tune_training.io import parts, workers
from tune_training.data.prepare import PrepareOptions, prepare
parts.FLUSH_S, workers.TASK = -1, 4
flush = parts.Parts.flush

def flush_and_die(self):
    flush(self)
    os.kill(os.getpid(), signal.SIGKILL)

parts.Parts.flush = flush_and_die
prepare(sys.argv[1], sys.argv[2], PrepareOptions(person_filter=False, engine=workers.Engine.LOCAL))
"""


def test_a_killed_run_goes_on_where_it_was(prepared: Prepared, messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES, str(messy), str(tmp_path)], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "manifest.parquet").exists()
    calls = asked(monkeypatch)
    assert prepare(str(messy), str(tmp_path), UNFILTERED) == prepared
    candidates = 2 * EACH + 8  # all but the unlabelled one
    assert len(calls[0]) == candidates - 4


def test_given_splits_are_kept_and_photos_that_leak_are_left_out_of_training(tmp_path: Path) -> None:
    lines = ["path,split,gender,source,age"]
    for number, split in enumerate(["train", "train", "val", "test", ""] * 4):
        label = ("female", "male")[number % 2]
        write_photo(tmp_path / "photos" / f"{number}.jpg", blots(number))
        lines.append(f"{number}.jpg,{split},{label},shop,{number}")
    write_photo(tmp_path / "photos" / "leak.jpg", smaller(blots(3)))
    write_photo(tmp_path / "photos" / "copy.jpg", (tmp_path / "photos" / "8.jpg").read_bytes())
    (tmp_path / "index.csv").write_text("\n".join([*lines, "leak.jpg,train,male,shop,", "copy.jpg,train,female,shop,"]))
    found = prepare(str(tmp_path / "photos"), str(tmp_path / "out"), replace(UNFILTERED, labels=[str(tmp_path / "index.csv")]))
    by_uri = {row.name: row for row in found.manifest.photos}
    assert [by_uri[f"{number}.jpg"].split for number in range(4)] == ["train", "train", "val", "test"]
    assert by_uri["4.jpg"].split
    assert by_uri["7.jpg"].columns == {"age": "7"}
    assert {reject.uri: (reject.reason, reject.detail) for reject in found.rejects} == {
        "copy.jpg": ("duplicate", "the same file as 8.jpg"),
        "leak.jpg": ("near_duplicate", "looks like 3.jpg of the split test"),
    }


def test_corrections_change_labels_or_leave_photos_out(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(4):
        write_photo(photos / "female" / f"{number}.jpg", blots(number))
        write_photo(photos / "male" / f"{number}.jpg", blots(50 + number))
    lines = ["path,label,given_label,score", "female/0.jpg,male,female,0.02", f"{photos}/male/0.jpg,drop,male,0.1"]
    lines += ["male/1.jpg,dog,male,0.2", "gone.jpg,male,female,0.3"]
    (tmp_path / "corrections.csv").write_text("\n".join(lines))
    found = prepare(str(photos), str(tmp_path / "out"), replace(UNFILTERED, corrections=str(tmp_path / "corrections.csv")))
    labels = {photo.name: photo.label for photo in found.manifest.photos}
    assert labels == {
        **{f"female/{number}.jpg": "female" for number in (1, 2, 3)},
        **{f"male/{number}.jpg": "male" for number in (2, 3)},
        "female/0.jpg": "male",
    }
    assert {reject.uri: (reject.reason, reject.detail) for reject in found.rejects} == {
        "gone.jpg": ("missing", "it is in the corrections only"),
        "male/0.jpg": ("corrected", "the corrections drop it"),
        "male/1.jpg": ("unlabelled", "the corrections say 'dog'"),
    }
    assert "The corrections say that it has no right label" in (tmp_path / "out" / "report.html").read_text()


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "work_on", lambda names, load, *_: [load()(names)] if names else [])


def test_words_that_are_no_labels_are_shown_and_can_be_given_a_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_this_process(monkeypatch)
    for number, folder in enumerate(("Damas", "Caballeros", "Caballeros", "otros")):
        write_photo(tmp_path / "photos" / folder / f"{number}.jpg", blots(number))
    with pytest.raises(InputError, match="no label is understood: 2 'caballeros', 1 'damas', 1 'otros'. Known are female"):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), UNFILTERED)
    words = replace(UNFILTERED, labels=["female=damas", "male=caballeros"], val_share=0, test_share=0)
    found = prepare(str(tmp_path / "photos"), str(tmp_path / "out"), words)
    assert [photo.label for photo in found.manifest.photos] == ["male", "male", "female"]
    assert "not understood as labels: 1 'otros'; --labels" in found.summary()


def test_photos_have_one_table() -> None:
    with pytest.raises(InputError, match="a.csv and b.csv: the photos can have one table only"):
        PrepareOptions(labels=["a.csv", "female=f", "b.csv"])


def mirrored(photo: bytes) -> Image.Image:
    return Image.open(io.BytesIO(photo)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def test_the_person_filter_is_the_detector_of_serving(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photo(photos / "female" / "one.jpg", astronaut())
    write_photo(photos / "female" / "two.jpg", two_people())
    write_photo(photos / "female" / "close" / "cat.jpg", mirrored(cat()))
    write_photo(photos / "male" / "cat.jpg", cat())
    other = mirrored(astronaut())
    write_photo(photos / "male" / "one.jpg", other.crop((0, 0, other.width, other.height * 3 // 4)))  # whole it would be the same picture
    found = prepare(str(photos), str(tmp_path / "out"), replace(FILTERED, close_up_sources=["close"], val_share=0, test_share=0))
    assert {reject.uri: reject.reason for reject in found.rejects} == {
        "female/two.jpg": Code.MULTIPLE_PEOPLE,
        "male/cat.jpg": Code.NO_PERSON,
    }
    boxes = {row.name: row.box for row in found.manifest.photos}
    assert boxes["female/close/cat.jpg"] == WHOLE_PHOTO
    x0, y0, x1, y1 = boxes["female/one.jpg"]
    assert 0 <= x0 < 0.3 and y0 < 0.2 and 0.6 < x1 <= 1 and y1 > 0.9
    mirror = boxes["male/one.jpg"]
    assert np.allclose([mirror[0], mirror[2]], [1 - x1, 1 - x0], atol=0.1)
    heads = {row.name: row.head for row in found.manifest.photos}
    assert heads["female/close/cat.jpg"] == WHOLE_PHOTO
    for name, x, y in (("female/one.jpg", 0.44, 0.2), ("male/one.jpg", 1 - 0.44, 0.2 * 4 / 3)):
        head = heads[name]
        assert head and head[0] < x < head[2] and head[1] < y < head[3]
    assert len(found.manifest.detector) == 12


def test_heads_are_those_of_the_detector_and_are_not_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examines in this process, with a fake detector."""
    finder = FigureFinder(heads=True)
    monkeypatch.setattr(Detector, "load", lambda *_: finder)
    monkeypatch.setattr(examining, "resolve", lambda *_: finder.checkpoint)
    in_this_process(monkeypatch)
    figures = {"standing.jpg": (30, 6, 50, 62), "lying.jpg": (10, 20, 90, 62), "face.jpg": (0, 0, 96, 64)}
    photos = [
        Photo(str(tmp_path), name, "male", source=name[:4], head=(0.0, 0.0, 0.1, 0.1))  # what an earlier stage thought does not count
        for name in figures
    ]
    for name, figure in figures.items():
        save(draw([figure]), tmp_path / name)
    versions = dict.fromkeys(figures, "1")
    for _ in range(2):
        found = examine(photos, versions, finder.checkpoint, ["face"], str(tmp_path / "cache"), Engine.LOCAL)
        assert [each.code for each in found] == [Code.OK] * 3
        standing, lying, face = (each.photo.head for each in found)
        assert standing == pytest.approx(relative(head_of(figures["standing.jpg"]), 96, 64), abs=0.02)
        assert lying is None
        assert face == WHOLE_PHOTO
        assert finder.photos == 2
    assert version("pillow") in decoding()
    monkeypatch.setattr(examining, "decoding", lambda: "by another Pillow")
    examine(photos, versions, finder.checkpoint, ["face"], str(tmp_path / "cache"), Engine.LOCAL)
    assert finder.photos == 4


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="data")
        yield server


def test_it_works_from_s3_to_s3_and_reads_nothing_twice(s3: S3Server) -> None:
    for number in range(3):
        for label, seed in (("female", 0), ("male", 50)):
            buffer = io.BytesIO()
            blots(seed + number).save(buffer, "JPEG")
            s3.put("data", f"photos/{label}/{number}.jpg", buffer.getvalue())
    options = replace(UNFILTERED, val_share=0.3)
    first = prepare("s3://data/photos/", "s3://data/out", options)
    assert len(first.manifest.photos) == 6
    assert read_manifest("s3://data/out/manifest.parquet") == first.manifest
    s3.gets.clear()
    assert prepare("s3://data/photos", "s3://data/out/", options) == first
    # for the report's pictures
    assert sum(get.key.startswith("photos/") for get in s3.gets) == 6


BAD: list[tuple[Callable[[Path], None], str]] = [
    (lambda folder: None, "there are no files below it"),
    (lambda folder: write_photo(folder / "1.jpg", blots(1)), "no photo has a label"),
    (lambda folder: write_photo(folder / "male" / "1.jpg", blots(1)), "all 1 labelled photos are male; there must be some of female too"),
]


@pytest.mark.parametrize(("fill", "message"), BAD, ids=["empty", "unlabelled", "one class"])
def test_what_cannot_work_is_said_before_any_work(
    fill: Callable[[Path], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked(monkeypatch)
    (tmp_path / "photos").mkdir()
    fill(tmp_path / "photos")
    with pytest.raises(InputError, match=message):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), UNFILTERED)
    assert calls == []
    assert not (tmp_path / "out").exists()


def test_a_label_of_which_nothing_is_left_is_named_and_the_rejects_say_why(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "male" / "1.jpg", blots(1))
    write_photo(tmp_path / "photos" / "female" / "1.jpg", b"broken")
    with pytest.raises(InputError, match=r"no photo of 'female' is left to train on; .*rejects\.csv says why"):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), UNFILTERED)
    assert "female/1.jpg,not_an_image" in (tmp_path / "out" / "rejects.csv").read_text()
    assert not (tmp_path / "out" / "manifest.parquet").exists()


def test_a_label_whose_only_photo_is_not_for_training_is_told_where_it_is(tmp_path: Path) -> None:
    for label in ("female", "male"):
        write_photo(tmp_path / "photos" / label / "1.jpg", blots(len(label)))
    with pytest.raises(InputError, match=r"no photo of 'female' is left to train on; .*\. In the split (val|test) there is 1$"):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), replace(UNFILTERED, val_share=0.5, test_share=0.499))


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(InputError, match="must leave something to train on"):
        PrepareOptions(val_share=0.5, test_share=0.5)


def test_photos_that_were_not_read_are_named_with_their_cause_and_are_tried_again(s3: S3Server) -> None:
    for label, seed in (("female", 0), ("male", 50)):
        for number in range(3):
            buffer = io.BytesIO()
            blots(seed + number).save(buffer, "JPEG")
            s3.put("data", f"photos/{label}/{number}.jpg", buffer.getvalue())
    s3.cuts = [Cut("photos/male/1.jpg", 10) for _ in range(5)]
    with pytest.raises(Incomplete, match=r"1 photos were not read \(1: .*S3 cannot be reached.*manifest\.parquet is without them"):
        prepare("s3://data/photos/", "s3://data/out", UNFILTERED)
    assert len(read_manifest("s3://data/out/manifest.parquet").photos) == 5
    assert b"male/1.jpg,missing," in s3.client.get_object(Bucket="data", Key="out/rejects.csv")["Body"].read()
    assert len(prepare("s3://data/photos/", "s3://data/out", UNFILTERED).manifest.photos) == 6


def test_a_photo_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    for number, label in enumerate(("female", "male", "male")):
        write_photo(tmp_path / "photos" / label / f"{number}.jpg", blots(number))
    os.rename(tmp_path / "photos" / "male" / "2.jpg", os.fsencode(tmp_path) + b"/photos/male/caf\xe9.jpg")
    with pytest.raises(Incomplete, match="the name of the file is not UTF-8"):
        prepare(str(tmp_path / "photos"), str(tmp_path / "out"), UNFILTERED)
    assert "male/caf\\xe9.jpg,missing,the name of the file is not UTF-8" in (tmp_path / "out" / "rejects.csv").read_text()
    assert len(read_manifest(str(tmp_path / "out" / "manifest.parquet")).photos) == 2

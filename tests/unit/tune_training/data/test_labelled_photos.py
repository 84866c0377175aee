from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.drawn_photos import write_portraits
from tune_training.data.labelled_photos import read_labelled, sample_by_source
from tune_training.data.manifest import Manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.io.errors import InputError


def touch(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return str(folder)


def test_folders_and_names_say_the_label(tmp_path: Path) -> None:
    folder = touch(tmp_path, "male/a.jpg", "Female/b.PNG", "male_c.jpg", "d_female.jpg", "notes.txt")
    labels = {Path(photo.uri).name: photo.label for photo in read_labelled(folder).photos}
    assert labels == {"a.jpg": "male", "b.PNG": "female", "male_c.jpg": "male", "d_female.jpg": "female"}


@pytest.mark.parametrize("name", ["x.jpg", "malevolent.jpg", "male/female_x.jpg"])
def test_photos_without_one_label_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"1 photos have no label, or two, .* such as {name}"):
        read_labelled(touch(tmp_path, "male/a.jpg", name))


def test_a_table_gives_splits_and_columns(tmp_path: Path) -> None:
    data = read_labelled(str(write_portraits(tmp_path / "drawn", ["val", "test"])))
    assert (data.name, data.splits) == ("drawn", {"test": 16, "val": 16})
    assert data.photos[0].source == "face"
    assert Path(data.photos[0].uri).exists()


def test_a_table_may_be_parquet_and_labels_may_be_in_capitals(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.jpg"], "gender": ["Male"], "age": [30]}), tmp_path / "table.parquet")
    (photo,) = read_labelled(str(tmp_path / "table.parquet")).photos
    assert (photo.label, photo.source, photo.columns) == ("male", "", {"age": "30"})


@pytest.mark.parametrize("text", ["", "path,size\na.jpg,3\n", "label\nmale\n"])
def test_a_table_without_the_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match="a table needs rows, and the columns path and label or gender"):
        read_labelled(str(tmp_path / "table.csv"))


def test_an_unknown_label_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("path,label\na.jpg,dog\n")
    with pytest.raises(InputError, match="a.jpg has the label 'dog'; known are female, females"):
        read_labelled(str(tmp_path / "table.csv"))


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_a_manifest_gives_digests_too(tmp_path: Path, name: str) -> None:
    row = Photo(str(tmp_path / "photos"), "a.jpg", "male", "val", "web", sha256="ab", columns={"age": "30"})
    write_manifest(Manifest([row], str(tmp_path / "photos")), str(tmp_path / name))
    data = read_labelled(str(tmp_path / name))
    (photo,) = data.split("val")
    assert (data.name, photo.sha256, photo.source, photo.columns) == ("photos", "ab", "web", {"age": "30"})
    assert photo.uri == str(tmp_path / "photos" / "a.jpg")


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="nothing.csv': there is no such table"):
        read_labelled("nothing.csv")


def test_a_sample_is_drawn_from_each_source_alike(tmp_path: Path) -> None:
    photos = read_labelled(str(write_portraits(tmp_path / "drawn", ["val"], photos=5))).photos
    sample = sample_by_source(photos, 3)
    assert [photo.source for photo in sample] == ["body"] * 3 + ["face"] * 3
    assert sample == sample_by_source(photos, 3)

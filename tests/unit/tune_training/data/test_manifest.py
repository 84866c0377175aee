"""A manifest is read as it was written, and anything else is refused with a message that names it."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tune_training.data.manifest import Manifest, read_manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.io.errors import InputError

ROW = Photo(
    "s3://bucket/photos",
    "train/male/ü, 1.jpg",
    "male",
    "train",
    "utkface",
    (0.1, 0.2, 1 / 3, 1.0),
    (0.15, 0.0, 0.25, 2 / 7),
    112,
    144,
    5000,
    "ab" * 32,
    "0f" * 8,
    {"age": "7"},
)
OTHER = replace(ROW, name="x.jpg", label="female", split="val_lfw", head=None, columns={"race": 'a "quoted",\nword', "age": ""})
MANIFEST = Manifest([ROW, OTHER], "s3://bucket/photos", "0123456789ab", 7)


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_it_comes_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    write_manifest(MANIFEST, str(tmp_path / name))
    read = read_manifest(str(tmp_path / name))
    assert read == replace(MANIFEST, photos=[replace(ROW, columns={"age": "7", "race": ""}), OTHER])


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_a_manifest_of_before_heads_were_looked_for_is_to_be_prepared_again(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_manifest(MANIFEST, str(path))
    heads = [f"head_{edge}" for edge in ("x0", "y0", "x1", "y1")]
    if path.suffix == ".csv":
        first, table = path.read_text().split("\n", 1)
        rows = list(csv.DictReader(io.StringIO(table)))
        with path.open("w", newline="") as file:
            file.write(f"{first}\n")
            writer = csv.DictWriter(file, [column for column in rows[0] if column not in heads], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pq.read_table(path).drop_columns(heads), path)
    with pytest.raises(InputError, match="this is no manifest .*head_x0.*`prepare` writes one"):
        read_manifest(str(path))


def test_rows_are_found_by_split_and_their_bytes_below_the_source() -> None:
    assert MANIFEST.split("val_lfw") == [OTHER]
    assert OTHER.uri == "s3://bucket/photos/x.jpg"
    assert MANIFEST.splits == {"train": 1, "val_lfw": 1}


def test_a_split_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="photos: there are no photos of the split 'test', only of train, val_lfw"):
        MANIFEST.split("test")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.parquet': there is no such manifest"):
        read_manifest(str(tmp_path / "manifest.parquet"))


@pytest.mark.parametrize("name", ["index.csv", "index.parquet"])
def test_another_table_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("path,label\na.jpg,male\n")
    with pytest.raises(InputError, match="this is no manifest"):
        read_manifest(str(tmp_path / name))


def test_an_unknown_label_is_refused_by_name(tmp_path: Path) -> None:
    write_manifest(Manifest([replace(ROW, label="dog")], "photos"), str(tmp_path / "manifest.csv"))
    with pytest.raises(InputError, match=r"unknown labels \['dog'\]"):
        read_manifest(str(tmp_path / "manifest.csv"))

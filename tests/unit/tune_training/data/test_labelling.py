"""Labels are read from folders, file names and tables; ambiguous photos are left out and listed."""

from pathlib import Path

import pytest

from tune_training.data.labelling import by_names, by_table, is_photo, other_files
from tune_training.data.rejects import Reject, words_not_understood
from tune_training.data.words import LabelWords, label_words
from tune_training.io.errors import InputError
from tune_training.io.storage import StoredFile


def files(*names: str) -> list[StoredFile]:
    return [StoredFile(name, 1, "1") for name in names]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("male/x.jpg", {"male"}),
        ("photos/Female/deep/x.jpg", {"female"}),
        ("male_x.jpg", {"male"}),
        ("x-female-2.png", {"female"}),
        ("x_FEMALE.png", {"female"}),
        ("male", {"male"}),
        ("female/male_1.jpg", {"female", "male"}),
        ("tamales/tamale_1.jpg", set()),
        ("Men/x.jpg", {"male"}),
        ("photos/WOMEN/x.jpg", {"female"}),
        ("girl_2.png", {"female"}),
        ("a woman in a park.jpg", {"female"}),
        ("men/girl_band.jpg", {"male"}),
        ("men/female_1.jpg", {"female", "male"}),
        ("woman_and_man.jpg", {"female", "male"}),
        ("m/f_1.jpg", set()),
        ("x.male", set()),
        ("man/1.jpg", {"male"}),
        ("Woman/2.jpg", {"female"}),
        ("female/img_male0.jpg", {"female", "male"}),
        ("girls/femalemale.jpg", {"female"}),
    ],
)
def test_labels_are_whole_folders_and_whole_words_of_a_name(name: str, labels: set[str]) -> None:
    assert LabelWords().labels_in(name) == labels


@pytest.mark.parametrize(
    ("name", "photo"), [("a.JPG", True), ("a.heic", True), ("b/1234abcd", True), ("index.csv", False), ("a.jpg.txt", False)]
)
def test_photos_are_told_by_their_names(name: str, photo: bool) -> None:
    assert is_photo(name) is photo


def test_top_level_folders_are_splits_where_one_is_called_train() -> None:
    photos, _ = by_names("photos", files("train/lfw/male/1.jpg", "val_x/female/1.jpg"))
    assert [(each.split, each.source, each.label) for each in photos] == [("train", "lfw", "male"), ("val_x", "", "female")]


@pytest.mark.parametrize(
    ("folder", "split"),
    [("Validation", "val"), ("valid", "val"), ("VAL", "val"), ("eval", "val"), ("Testing", "test"), ("test", "test"), ("lfw", "lfw")],
)
def test_splits_are_known_by_their_usual_names(folder: str, split: str) -> None:
    photos, _ = by_names("photos", files("Training/male/1.jpg", f"{folder}/female/1.jpg"))
    assert [each.split for each in photos] == ["train", split]


def test_splits_may_lie_in_a_folder_of_their_own() -> None:
    photos, _ = by_names("photos", files("archive/faces/Training/male/1.jpg", "archive/faces/Validation/lfw/female/1.jpg", "readme.txt"))
    assert [(each.split, each.source) for each in photos] == [("train", ""), ("val", "lfw")]
    photos, _ = by_names("photos", files("faces/lfw/male/1.jpg", "faces/lfw/female/1.jpg"))
    assert {(each.split, each.source) for each in photos} == {("", "faces")}


def test_the_first_folder_that_is_no_label_is_the_source() -> None:
    photos, _ = by_names("photos", files("lfw/male/1.jpg", "female/shop/1.jpg", "male_1.jpg"))
    assert [(each.split, each.source) for each in photos] == [("", "lfw"), ("", "shop"), ("", "")]


def test_photos_without_one_label_are_named_and_other_files_are_not() -> None:
    _, rejects = by_names("photos", files("a.jpg", "female/male.jpg", "notes.txt"))
    assert sorted(rejects, key=lambda reject: reject.uri) == [
        Reject("a.jpg", "unlabelled"),
        Reject("female/male.jpg", "conflicting_labels", "female and male"),
    ]


def table(folder: Path, text: str) -> str:
    (folder / "index.csv").write_text(text, encoding="utf-8-sig")
    return str(folder / "index.csv")


def test_a_table_gives_label_split_source_and_whatever_else_it_has(tmp_path: Path) -> None:
    index = table(tmp_path, 'path,split,gender,source,age,width\n"a, 1.jpg",test,Male,lfw,7,12\nphotos/b.jpg,,female,,,\n')
    [first, second], rejects = by_table("photos", files("a, 1.jpg", "b.jpg"), index)
    assert (first.name, first.label, first.split, first.source, first.columns) == ("a, 1.jpg", "male", "test", "lfw", {"age": "7"})
    assert (second.name, second.label, second.split, second.columns) == ("b.jpg", "female", "", {"age": ""})
    assert rejects == []


def test_a_table_may_use_other_words(tmp_path: Path) -> None:
    index = table(tmp_path, "path,gender,split\na.jpg,M,Training\nb.jpg,Woman,validation\nc.jpg, f ,\nd.jpg,BOY,other\n")
    photos, _ = by_table("photos", files("a.jpg", "b.jpg", "c.jpg", "d.jpg"), index)
    assert [(each.label, each.split) for each in photos] == [("male", "train"), ("female", "val"), ("female", ""), ("male", "other")]


def test_further_words_for_labels_are_known_in_folders_names_and_tables(tmp_path: Path) -> None:
    words = label_words("female=Damas,f,mädchen male=0, caballeros,m")
    photos, rejects = by_names(
        "photos", files("damas/1.jpg", "shop/Caballeros/2.jpg", "M/3.jpg", "x_f_1.jpg", "Mädchen_4.png", "men/5.jpg"), words
    )
    assert [each.label for each in photos] == ["female", "male", "male", "female", "female", "male"]
    assert [each.source for each in photos] == ["", "shop", "", "", "", ""]
    assert rejects == []
    index = table(tmp_path, "path,gender\na.jpg,0\nb.jpg,DAMAS\nc.jpg,woman\n")
    photos, _ = by_table("photos", files("a.jpg", "b.jpg", "c.jpg"), index, words)
    assert [each.label for each in photos] == ["male", "female", "female"]


def test_a_word_may_get_another_meaning() -> None:
    assert label_words("male=w").label_of(" W ") == "male"


@pytest.mark.parametrize("text", ["woman=f", "female= male=m", "female=f,,g", "f female=f"])
def test_malformed_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match='malformed. Write --labels "female=WORD,WORD male=WORD,WORD"'):
        label_words(text)


def test_a_word_for_both_labels_is_refused() -> None:
    with pytest.raises(InputError, match="'x' is a word for both labels"):
        label_words("female=x,f male=m,X")


def test_words_that_are_not_understood_are_counted_the_commonest_first(tmp_path: Path) -> None:
    index = table(tmp_path, "path,label\n" + "".join(f"{n}.jpg,{'Divers' if n < 5 else 'kid'}\n" for n in range(7)) + "7.jpg,\n8.jpg,m\n")
    _, rejects = by_table("photos", files(*(f"{number}.jpg" for number in range(9))), index)
    assert {(each.uri, each.reason, each.detail) for each in rejects} >= {
        ("0.jpg", "unknown_label", "divers"),
        ("7.jpg", "unlabelled", "the table has no label for it"),
    }
    assert words_not_understood(rejects) == "5 'divers', 2 'kid'"
    assert words_not_understood(rejects, 1) == "5 'divers', 2 others"
    _, rejects = by_names(
        "photos", files("lfw/herren/1.jpg", "lfw/herren/2.jpg", "frauen/3.jpg", "4.jpg", "men/women.jpg", "men/female.jpg")
    )
    assert words_not_understood(rejects) == "2 'herren', 1 'frauen'"


def test_a_folder_that_is_no_label_is_a_word_that_is_not_known() -> None:
    names = ["train/lfw/Frauen/2020/1.jpg", "train/lfw/men/2020/2.jpg", "val/lfw/3.jpg", "val/men/4.jpg", "val/5.jpg"]
    photos, rejects = by_names("photos", files(*names))
    assert [each.name for each in photos] == [names[1], names[3]]
    assert rejects == [Reject(names[0], "unknown_label", "frauen"), Reject(names[2], "unlabelled"), Reject(names[4], "unlabelled")]


def test_a_folder_whose_other_photos_have_their_label_in_their_names_is_no_word_for_one() -> None:
    _, rejects = by_names("photos", files("faces/1_male.jpg", "faces/2_female.jpg", "faces/3.jpg"))
    assert rejects == [Reject("faces/3.jpg", "unlabelled")]


def test_files_that_are_taken_for_no_photos_are_counted() -> None:
    assert other_files(files("a.jpg", "b", "c.TXT", "d.txt", "e.csv")) == "2 .txt, 1 .csv"
    assert other_files(files("a.jpg")) == ""


def test_what_a_table_leaves_unclear_is_named(tmp_path: Path) -> None:
    index = table(tmp_path, "path,label\ngone.jpg,male\ndog.jpg,dog\ntwo.jpg,male\ntwo.jpg,female\ngood.jpg,male\ngood.jpg,male\n")
    photos, rejects = by_table("photos", files("dog.jpg", "extra.jpg", "good.jpg", "index.csv", "two.jpg"), index)
    assert [each.name for each in photos] == ["good.jpg"]
    assert sorted((each.uri, each.reason) for each in rejects) == [
        ("dog.jpg", "unknown_label"),
        ("extra.jpg", "unlabelled"),
        ("gone.jpg", "missing"),
        ("two.jpg", "conflicting_labels"),
    ]


@pytest.mark.parametrize("text", ["", "path,age\na.jpg,7\n", "file,label\na.jpg,male\n"])
def test_a_table_without_the_columns_says_which(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the columns path and label or gender"):
        by_table("photos", files("a.jpg"), table(tmp_path, text))


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.parquet").write_bytes(b"none")
    with pytest.raises(InputError, match=r"index\.parquet': it cannot be read as Parquet"):
        by_table("photos", files("a.jpg"), str(tmp_path / "index.parquet"))
    with pytest.raises(InputError, match="there is no such table"):
        by_table("photos", files("a.jpg"), str(tmp_path / "index.csv"))

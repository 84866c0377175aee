"""What corrections do to photos, their copies, and what cannot be followed."""

from pathlib import Path

import pytest

from tune_training.data.corrections import DROP, corrected, read_corrections
from tune_training.data.photo import Photo
from tune_training.data.rejects import Reason
from tune_training.io.errors import InputError


def photo(name: str, sha256: str, label: str = "male") -> Photo:
    return Photo("photos", name, label, sha256=sha256)


def test_a_correction_holds_for_the_same_file_under_other_names() -> None:
    photos = [photo("a.jpg", "1"), photo("copy_of_a.jpg", "1"), photo("b.jpg", "2"), photo("copy_of_b.jpg", "2"), photo("c.jpg", "3")]
    kept, rejects = corrected(photos, {"a.jpg": "female", "copy_of_b.jpg": DROP})
    assert [(each.name, each.label) for each in kept] == [("a.jpg", "female"), ("copy_of_a.jpg", "female"), ("c.jpg", "male")]
    assert [(each.uri, each.reason) for each in rejects] == [("b.jpg", Reason.CORRECTED), ("copy_of_b.jpg", Reason.CORRECTED)]


def test_what_is_said_of_a_name_itself_comes_first() -> None:
    kept, _ = corrected([photo("a.jpg", "1"), photo("copy.jpg", "1")], {"a.jpg": "female", "copy.jpg": "male"})
    assert [each.label for each in kept] == ["female", "male"]


def test_photos_without_a_digest_are_not_taken_for_copies() -> None:
    kept, _ = corrected([photo("a.jpg", ""), photo("b.jpg", "")], {"a.jpg": "female"})
    assert [each.label for each in kept] == ["female", "male"]


def table(folder: Path, text: str) -> str:
    (folder / "corrections.csv").write_text(text)
    return str(folder / "corrections.csv")


def test_what_cannot_be_followed_is_said_by_name(tmp_path: Path) -> None:
    text = "path,label\n./a.jpg, Female \ntwo.jpg,male\ntwo.jpg,drop\ntwo.jpg,male\ngone.jpg,male\ndog.jpg,dog\n"
    found, unclear = read_corrections("photos", ["a.jpg", "dog.jpg", "two.jpg"], table(tmp_path, text))
    assert found == {"a.jpg": "female"}
    assert {name: reject.reason for name, reject in unclear.items()} == {
        "two.jpg": Reason.CONFLICTING_LABELS,
        "gone.jpg": Reason.MISSING,
        "dog.jpg": Reason.UNLABELLED,
    }


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the columns path and label"):
        read_corrections("photos", ["a.jpg"], table(tmp_path, "uri,reason\na.jpg,drop\n"))

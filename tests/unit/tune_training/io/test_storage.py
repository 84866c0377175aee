"""Folders and S3 behave alike; an error that the user can fix is one line."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.s3 import Cut, S3Server, s3_server
from tune_training.io import storage
from tune_training.io.errors import InputError


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="photos")
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> str:
    return str(tmp_path / "photos") if request.param == "folder" else "s3://photos/some/prefix"


def test_what_is_written_is_there_listed_and_read(place: str) -> None:
    for name in ("b/two.txt", "a.txt", ".hidden", ".git/config"):
        storage.write_bytes(storage.join(place, name), name.encode())
    listed = storage.list_files(place)
    assert [(file.name, file.size) for file in listed] == [("a.txt", 5), ("b/two.txt", 9)]
    assert storage.read_bytes(storage.join(place, "b/two.txt")) == b"b/two.txt"
    assert storage.exists(storage.join(place, "a.txt"))
    assert not storage.exists(storage.join(place, "b"))
    assert storage.list_files(f"{place}/") == listed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_listing_counts_the_files_on_a_terminal(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LONG_S", 0.0)
    storage.write_bytes(storage.join(place, "a.txt"), b"a")
    for terminal, counts in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", terminal)
        storage.list_files(place)
        assert ("listing: 1file" in terminal.getvalue()) == counts


def test_a_version_changes_with_the_content(place: str) -> None:
    file = storage.join(place, "a.txt")
    storage.write_bytes(file, b"old")
    [before] = storage.list_files(place)
    storage.write_bytes(file, b"new")
    [after] = storage.list_files(place)
    assert before.version != after.version


def test_a_file_of_any_size_is_copied(place: str, tmp_path: Path) -> None:
    content = bytes(9_000_000)  # more than boto3 sends in one part
    (tmp_path / "large").write_bytes(content)
    storage.write_file(storage.join(place, "large"), tmp_path / "large")
    assert storage.read_bytes(storage.join(place, "large")) == content


def test_a_folder_is_deleted_with_what_is_in_it_and_nothing_else(place: str) -> None:
    for name in ("parts/1", "parts/deep/2", "parts.csv"):
        storage.write_bytes(storage.join(place, name), b"x")
    storage.delete_folder(storage.join(place, "parts"))
    storage.delete_folder(storage.join(place, "never-there"))
    assert [file.name for file in storage.list_files(place)] == ["parts.csv"]


def test_writability_is_tried_and_leaves_nothing(place: str) -> None:
    storage.check_writable(place)
    with pytest.raises(InputError, match="there are no files below it"):
        storage.list_files(place)


def test_a_missing_file_is_no_fault_of_the_place(place: str) -> None:
    storage.write_bytes(storage.join(place, "a.txt"), b"x")
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        storage.read_bytes(storage.join(place, "b.txt"))


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    storage.write_bytes(str(file), b"old")

    def full(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        storage.write_bytes(str(file), b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "elsewhere" / "a.jpg"), b"x")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "photos")
    assert [file.name for file in storage.list_files(str(tmp_path / "photos"))] == ["link/a.jpg"]


def test_two_links_to_one_folder_are_two_folders(tmp_path: Path) -> None:
    """A folder male that is a link to all_men gives labels."""
    storage.write_bytes(str(tmp_path / "all_men" / "a.jpg"), b"x")
    (tmp_path / "male").symlink_to(tmp_path / "all_men")
    assert [file.name for file in storage.list_files(str(tmp_path))] == ["all_men/a.jpg", "male/a.jpg"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write_bytes(str(tmp_path / "female" / "a.jpg"), b"x")
    scandir = os.scandir

    def denied(path: str) -> Any:
        if path.endswith("female"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)  # root, whom CI may be, reads everything
    with pytest.raises(InputError, match=r"female': this folder cannot be read \(Permission denied\)"):
        storage.list_files(str(tmp_path))


def test_a_name_that_is_no_text_is_shown_as_its_bytes(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.png", "wb") as file:
        file.write(b"x")
    [found] = storage.list_files(str(tmp_path))
    assert storage.shown(found.name) == "caf\\xe9.png"
    assert storage.read_bytes(storage.join(str(tmp_path), found.name)) == b"x"


def test_a_transfer_that_breaks_off_is_tried_again(s3: S3Server) -> None:
    s3.put("photos", "a.jpg", b"x" * 100_000)
    s3.cuts = [Cut("a.jpg", 50_000), Cut("a.jpg", 0)]
    assert storage.read_bytes("s3://photos/a.jpg") == b"x" * 100_000
    assert not s3.cuts


def test_a_transfer_that_always_breaks_off_is_an_error(s3: S3Server) -> None:
    s3.put("photos", "a.jpg", b"x" * 100_000)
    s3.cuts = [Cut("a.jpg", 50_000) for _ in range(100)]
    with pytest.raises(InputError, match="S3 cannot be reached"):
        storage.read_bytes("s3://photos/a.jpg")


@pytest.mark.parametrize(("code", "words"), [("RequestTimeTooSkewed", "the clock of this machine"), ("InvalidObjectState", "archived")])
def test_refusals_that_are_no_matter_of_permission_say_what_they_are(s3: S3Server, code: str, words: str) -> None:
    s3.refusal = (403, code)
    with pytest.raises(InputError, match=words):
        storage.read_bytes("s3://photos/a.jpg")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing': there is no such folder"):
        storage.list_files(str(tmp_path / "nothing"))


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"s3://nobody/x/'.* there is no such bucket"):
        storage.list_files("s3://nobody/x/")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("uri", ["s3://", "s3:///key"])
def test_a_malformed_uri_is_named(uri: str) -> None:
    with pytest.raises(InputError, match="malformed"):
        storage.read_bytes(uri)


@pytest.mark.usefixtures("s3")
def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no usable AWS credentials"):
        storage.list_files("s3://photos/")


def test_denied_access_is_told_apart(s3: S3Server) -> None:
    s3.refusal = (403, "AccessDenied")
    with pytest.raises(InputError, match=r"access is denied .*s3:PutObject"):
        storage.check_writable("s3://photos/out")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match="nothing can be written there"):
        storage.check_writable(str(tmp_path / "file" / "below"))


def test_a_full_disk_is_told_before_it_is(tmp_path: Path) -> None:
    storage.check_space(str(tmp_path / "not" / "yet"), 1)
    storage.check_space("s3://photos/", 10**18)
    with pytest.raises(InputError, match=r"needs about 1000000000\.0 GB"):
        storage.check_space(str(tmp_path / "not" / "yet"), 10**18)

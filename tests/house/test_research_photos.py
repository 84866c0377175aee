"""Research photos are unpacked once and completely, wherever the archive is."""

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.research_photos import MissingPhotos, research_photos


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENDER_DATA_DIR", str(tmp_path))
    return tmp_path


def write_archive(path: Path, member: str, content: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def test_many_ask_at_once_and_all_get_the_same_whole_folder(folder: Path) -> None:
    write_archive(folder / "some.tar", "test/a.jpg", b"a" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: research_photos("some", folder / "cache"), range(8)))
    (unpacked,) = folders
    assert (unpacked / "test/a.jpg").read_bytes() == b"a" * 100_000
    assert [entry for entry in (folder / "cache").iterdir() if entry.is_dir()] == [unpacked]


def test_another_archive_of_the_same_name_is_unpacked_anew(folder: Path) -> None:
    write_archive(folder / "some.tar", "a.txt", b"old")
    old = research_photos("some", folder / "cache")
    write_archive(folder / "some.tar", "a.txt", b"new" * 10_000)
    new = research_photos("some", folder / "cache")
    assert (old / "a.txt").read_bytes() == b"old"
    assert (new / "a.txt").read_bytes() == b"new" * 10_000


def test_nothing_is_written_outside_and_nothing_half_unpacked_stays(folder: Path) -> None:
    write_archive(folder / "some.tar", "../../../outside.txt", b"x")
    with pytest.raises(tarfile.OutsideDestinationError):
        research_photos("some", folder / "cache" / "deep")
    assert not list(folder.rglob("outside.txt"))
    assert [entry for entry in (folder / "cache" / "deep").iterdir() if entry.is_dir()] == []


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(MissingPhotos, match="GENDER_DATA_DIR holds no some.tar"):
        research_photos("some")

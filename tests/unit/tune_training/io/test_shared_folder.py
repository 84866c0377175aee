"""Of several that write the same file at once, one does, and the others are told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.s3 import s3_server
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.shared_folder import SharedFolder, WrittenMeanwhile

WRITERS = 8


@pytest.fixture(params=["folder", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="models")
        yield str(tmp_path / "shared") if request.param == "folder" else "s3://models/shared"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_text("new")
    return tmp_path / "source"


def test_a_file_is_created_once(uri: str, source: Path) -> None:
    shared = SharedFolder(uri)
    assert shared.read("file") is None
    shared.create("file", source)
    source.write_text("another")
    with pytest.raises(WrittenMeanwhile):
        shared.create("file", source)
    found = shared.read("file")
    assert found and found.content == b"new"
    assert [file.name for file in storage.find_files(uri)] == ["file"]


def test_a_file_is_replaced_only_as_it_was_read(uri: str) -> None:
    shared = SharedFolder(uri)
    shared.replace("file", b"first", None)
    read = shared.read("file")
    shared.replace("file", b"second", read)
    for before in (read, None):
        with pytest.raises(WrittenMeanwhile):
            shared.replace("file", b"third", before)
    found = shared.read("file")
    assert found and found.content == b"second"
    storage.delete(storage.join(uri, "file"))
    with pytest.raises(WrittenMeanwhile):
        shared.replace("file", b"third", found)


def test_of_many_that_write_at_once_one_does(tmp_path: Path) -> None:
    """In a folder: moto's server looks and writes in two steps."""
    together = Barrier(WRITERS)

    def write(number: int) -> bool:
        shared = SharedFolder(str(tmp_path))
        together.wait(60)
        try:
            shared.replace("file", str(number).encode(), None)
        except WrittenMeanwhile:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        wrote = list(pool.map(write, range(WRITERS)))
    assert wrote.count(True) == 1
    assert (tmp_path / "file").read_text() == str(wrote.index(True))


def test_other_refusals_of_s3_are_told_as_such(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch), pytest.raises(InputError, match="there is no such bucket"):
        SharedFolder("s3://nowhere/shared").create("file", source)


def test_a_store_without_permission_is_told(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    with s3_server(monkeypatch) as server:
        server.refusal = (403, "AccessDenied")
        with pytest.raises(InputError, match="access is denied"):
            SharedFolder("s3://models/shared").create("file", source)

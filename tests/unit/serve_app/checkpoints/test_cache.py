"""What is cached is whole or not there, whatever happened to the power; what is over the limit and unused is forgotten, oldest first."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import serve_app
from serve_app.checkpoints import EXPORTS, Entries, LockedError, forget_unused

STATE = "the state"


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    return Entries(tmp_path / EXPORTS, "detector tiny")


def keep(entries: Entries, state: str = STATE, size: int = 1000) -> Path:
    with entries.lock():
        partial = entries.begin()
        (partial / "network.xml").write_bytes(b"x" * size)
        (partial / "network.bin").write_bytes(b"y" * size)
        return entries.finish(partial, state)


def found(entries: Entries, state: str = STATE) -> Path | None:
    with entries.lock():
        return entries.find(state)


def test_what_is_finished_is_found(entries: Entries) -> None:
    assert found(entries) is None
    entry = keep(entries)
    assert found(entries) == entries.latest() == entry
    assert sorted(file.name for file in entry.iterdir()) == ["network.bin", "network.xml"]


def empty(entry: Path) -> None:
    (entry / "network.bin").write_bytes(b"")


def cut(entry: Path) -> None:
    (entry / "network.bin").write_bytes(b"y" * 999)


def lose(entry: Path) -> None:
    (entry / "network.bin").unlink()


def lose_marker(entry: Path) -> None:
    entry.with_name(f"{entry.name}.json").unlink()


def cut_marker(entry: Path) -> None:
    entry.with_name(f"{entry.name}.json").write_text('{"network.xml": 10')


@pytest.mark.parametrize("damage", [empty, cut, lose, lose_marker, cut_marker])
def test_what_was_cut_short_is_not_found_and_can_be_made_again(entries: Entries, damage: Callable[[Path], None]) -> None:
    damage(keep(entries))
    assert found(entries) is None
    assert entries.latest() is None
    assert (keep(entries) / "network.bin").stat().st_size == 1000
    assert found(entries)


def test_everything_is_on_the_disk_before_it_counts(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(file: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)
        fsync(file)

    monkeypatch.setattr(os, "fsync", record)
    entry = keep(entries)
    assert {"network.xml", "network.bin", "marker.new", entry.parent.name} <= set(synced)
    assert synced.index("marker.new") > max(synced.index("network.xml"), synced.index("network.bin"))


def test_what_a_killed_process_left_is_deleted_and_not_continued(entries: Entries) -> None:
    with entries.lock():
        left = entries.begin()
        (left / "network.xml").write_bytes(b"half")
    entry = keep(entries)
    assert not left.exists()
    assert (entry / "network.xml").stat().st_size == 1000


CHILD = """
import pathlib, sys
from serve_app.checkpoints import Entries
entries = Entries(pathlib.Path(sys.argv[1]), "detector tiny")
with entries.lock():
    if sys.argv[2] == "use":
        assert entries.find("the state")
    else:
        print("ready", flush=True)
        sys.stdin.readline()
print("ready", flush=True)
sys.stdin.readline()
"""


def other_process(entries: Entries, what: str) -> subprocess.Popen[str]:
    """A process that holds the lock, or uses the entry, until it gets a line or a signal."""
    env = os.environ | {"PYTHONPATH": str(Path(serve_app.__file__).parents[1])}
    command = [sys.executable, "-c", CHILD, str(entries._folder.parent), what]
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def test_a_lock_that_is_not_released_is_an_error_and_that_of_a_dead_process_is_none(entries: Entries) -> None:
    with other_process(entries, "lock") as process:
        try:
            with pytest.raises(LockedError, match="another process has held"), entries.lock(0.01):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
        with entries.lock(30):
            pass


def used_at(entry: Path, seconds: float) -> Path:
    """Sets the time of the last use; and no process uses the entry any more, as if this one had been another."""
    from serve_app.checkpoints import _cache

    marker = entry.with_name(f"{entry.name}.json")
    os.close(_cache._in_use.pop(marker))
    os.utime(marker, (seconds, seconds))
    return entry


def test_the_oldest_are_forgotten_until_the_rest_fits(entries: Entries, tmp_path: Path) -> None:
    kept = {state: used_at(keep(entries, state), seconds) for state, seconds in {"a": 3, "b": 1, "c": 2, "d": 4}.items()}
    forget_unused(tmp_path, 2 * 2000)
    assert [state for state, entry in kept.items() if entry.exists()] == ["a", "d"]
    assert found(entries, "b") is None
    forget_unused(tmp_path, 2 * 2000)
    assert [state for state, entry in kept.items() if entry.exists()] == ["a", "d"]


def test_what_this_process_uses_is_never_forgotten(entries: Entries, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    used, unused = keep(entries, "used"), used_at(keep(entries, "unused"), 1e10)
    forget_unused(tmp_path, 1)
    assert used.exists()
    assert not unused.exists()
    assert "more than MODEL_CACHE_BYTES" in caplog.text


def test_what_another_process_uses_is_forgotten_only_when_it_has_ended(entries: Entries, tmp_path: Path) -> None:
    entry = used_at(keep(entries), 1)
    with other_process(entries, "use") as process:
        forget_unused(tmp_path, 1)
        assert entry.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    forget_unused(tmp_path, 1)
    assert not entry.exists()


def test_what_is_being_made_is_left_alone(entries: Entries, tmp_path: Path) -> None:
    old = used_at(keep(entries), 1)
    with entries.lock():
        partial = entries.begin()
        forget_unused(tmp_path, 1)
        assert partial.exists()
        assert old.exists()  # its source is locked
    forget_unused(tmp_path, 1)
    assert not old.exists()


def test_commits_of_the_hub_are_forgotten_too(tmp_path: Path) -> None:
    """In the layout of huggingface_hub's cache."""
    repo = tmp_path / "hub" / "models--org--name"
    for commit, blob in (("a" * 40, "1"), ("b" * 40, "2")):
        (repo / "blobs").mkdir(parents=True, exist_ok=True)
        (repo / "blobs" / blob).write_bytes(b"w" * 1000)
        (repo / "snapshots" / commit).mkdir(parents=True)
        (repo / "snapshots" / commit / "model.safetensors").symlink_to(f"../../blobs/{blob}")
    (tmp_path / "hub" / ".locks").mkdir()
    for commit, seconds in (("a" * 40, 2), ("b" * 40, 1)):
        marker = tmp_path / "hub" / ".locks" / f"used-{commit}"
        marker.touch()
        os.utime(marker, (seconds, seconds))
    forget_unused(tmp_path, 1500)
    assert [folder.name for folder in (repo / "snapshots").iterdir()] == ["a" * 40]
    assert [blob.name for blob in (repo / "blobs").iterdir()] == ["1"]


def test_an_empty_cache_is_fine(tmp_path: Path) -> None:
    forget_unused(tmp_path / "none", 1)

"""Places that the processes of a machine share."""

import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from serve_app.vision.machine_places import MachinePlaces

HOLDS = """
import sys
from pathlib import Path
from serve_app.vision.machine_places import MachinePlaces
with MachinePlaces(Path(sys.argv[1]), 1).place():
    print("holds", flush=True)
    sys.stdin.read()
"""


def has_place(places: MachinePlaces) -> bool:
    with places.place():
        return True


def are_taken(folder: Path, count: int) -> bool:
    """Whether all files are there, and locked."""
    files = sorted(folder.iterdir())
    assert len(files) == count
    for path in files:
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def test_what_another_process_has_is_free_when_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other, ThreadPoolExecutor(1) as pool:
        assert other.stdout
        assert other.stdout.readline() == b"holds\n"
        assert are_taken(tmp_path, 1)
        waiting = pool.submit(lambda: has_place(MachinePlaces(tmp_path, 1)))
        other.kill()
        assert waiting.result(timeout=60)


def test_there_are_as_many_as_said(tmp_path: Path) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            stack.enter_context(MachinePlaces(tmp_path, 3).place())
        assert are_taken(tmp_path, 3)
        fourth = pool.submit(lambda: has_place(MachinePlaces(tmp_path, 3)))
        stack.close()
        assert fourth.result(timeout=60)


def test_a_place_comes_back_when_the_work_fails(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="the work"), MachinePlaces(tmp_path, 1).place():
            raise ValueError("the work")


def test_where_there_can_be_no_files_everybody_has_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = MachinePlaces(tmp_path / "file", 1)
    with places.place():
        assert has_place(places)

"""Every file gets its row, even when one kills its process."""

import os
from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.support.data_sets import ROW, CountedLoad, load_names_work, load_nothing
from tune_training.io.workers import TASK, Engine, Work, work_on


def crashed(name: str) -> pa.Table:
    return pa.Table.from_pylist([{"name": f"crashed: {name}", "process": 0}], ROW)


def rows(names: list[str], load: Callable[[], Work] = load_names_work) -> list[str]:
    found: list[str] = pa.concat_tables([ROW.empty_table(), *work_on(names, load, crashed, Engine.LOCAL)])["name"].to_pylist()
    return sorted(found)


def test_all_files_are_worked_on_once_in_other_processes() -> None:
    names = [f"{number:03d}" for number in range(3 * TASK + 1)]
    load = CountedLoad()
    assert rows(names, load) == names
    assert CountedLoad.sent <= len(os.sched_getaffinity(0)), "what all tasks have in common goes to each process once"


def test_a_file_that_kills_its_process_is_the_only_one_that_is_lost() -> None:
    names = [f"{number:03d}" for number in range(TASK)]
    assert rows([*names[:5], "deadly", *names[5:]]) == [*names, "crashed: deadly"]


def test_no_process_is_started_for_nothing() -> None:
    assert rows([], load_nothing) == []


def test_a_fault_of_the_work_or_its_loading_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="faulty"):
        rows(["faulty"])
    with pytest.raises(FileNotFoundError, match="no model"):
        rows(["a"], load_nothing)

"""Written rows outlive the process that wrote them."""

from pathlib import Path

import pyarrow as pa
import pytest

from tune_training.io import parts
from tune_training.io.parts import Parts

SCHEMA = pa.schema([("name", pa.string())])


def rows(*names: str) -> pa.Table:
    return pa.table({"name": list(names)}, SCHEMA)


def test_what_was_written_is_there_for_the_next_run(tmp_path: Path) -> None:
    for names in (("a", "b"), ("c",)):
        run = Parts(str(tmp_path / "parts"), SCHEMA)
        run.add(rows(*names))
        run.flush()
    assert sorted(Parts(str(tmp_path / "parts"), SCHEMA).read()["name"].to_pylist()) == ["a", "b", "c"]


def test_rows_are_written_when_they_are_many_or_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FLUSH_ROWS", 3)
    run = Parts(str(tmp_path), SCHEMA)
    run.add(rows("a", "b"))
    assert len(run.read()) == 0
    run.add(rows("c"))
    assert len(run.read()) == 3
    monkeypatch.setattr(parts, "FLUSH_S", -1.0)
    run.add(rows("d"))
    assert len(run.read()) == 4


def test_nothing_is_kept_where_nothing_was_or_all_was_deleted(tmp_path: Path) -> None:
    run = Parts(str(tmp_path / "parts"), SCHEMA)
    assert run.read() == SCHEMA.empty_table()
    run.add(rows("a"))
    run.flush()
    run.delete()
    assert not (tmp_path / "parts").exists()

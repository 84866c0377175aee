"""Batches that are read in advance."""

import pytest

from tune_training.train.read_ahead import READ_AHEAD, read_ahead


def test_all_come_in_order() -> None:
    assert list(read_ahead(lambda value=value: value for value in range(7))) == list(range(7))  # type: ignore[misc] # a default binds it


def test_so_many_are_read_before_they_are_wanted_and_no_more() -> None:
    read: list[int] = []
    batches = read_ahead(lambda value=value: read.append(value) for value in range(9))  # type: ignore[misc] # likewise
    next(batches)
    assert len(read) <= READ_AHEAD + 1
    list(batches)
    assert read == list(range(9))


def test_a_fault_comes_when_its_turn_does() -> None:
    def broken() -> int:
        raise OSError("gone")

    batches = read_ahead([lambda: 1, broken])
    assert next(batches) == 1
    with pytest.raises(OSError, match="gone"):
        next(batches)

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Clock
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.tune.time_budget import SAVE_S, TimeBudget, set_limit


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "time_budget.json")


def spend(uri: str, seconds: int) -> bool:
    """A call that is killed after this many seconds; returns whether it was stopped by then."""
    clock = Clock()
    budget = TimeBudget(uri, clock)
    over = budget.stop_all()
    for _ in range(seconds):
        clock.now += 1
        over = budget.stop_all()
    return over


def test_a_call_that_goes_on_has_what_is_left(uri: str) -> None:
    set_limit(uri, 60)
    assert not spend(uri, 40)
    set_limit(uri, 60)
    assert not spend(uri, 10)
    assert spend(uri, 10)
    assert spend(uri, 0)


def test_a_longer_limit_lets_it_go_on(uri: str) -> None:
    set_limit(uri, 60)
    assert spend(uri, 60)
    set_limit(uri, 100)
    assert not spend(uri, 30)
    assert spend(uri, 10)


def test_a_kill_forgets_a_few_seconds_at_most(uri: str) -> None:
    set_limit(uri, 60)
    assert not spend(uri, int(2 * SAVE_S) - 1)
    assert not spend(uri, int(60 - SAVE_S) - 1)
    assert spend(uri, int(SAVE_S))


def test_without_a_limit_it_has_no_end_but_is_counted(uri: str) -> None:
    set_limit(uri, 0)
    assert not spend(uri, 1000)
    set_limit(uri, 1000)
    assert spend(uri, 0)


def test_a_place_that_fails_meanwhile_does_not_end_the_search(uri: str, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fail(*_: object) -> None:
        raise InputError("no access")

    set_limit(uri, 60)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", fail)
        assert not spend(uri, 30)
    assert "the time spent cannot be kept: no access" in caplog.text


def test_it_is_stored_without_the_clock_of_this_process(uri: str) -> None:
    set_limit(uri, 60)
    budget = TimeBudget(uri)
    assert not budget.stop_all()
    set_limit(uri, 0.001)
    restored = pickle.loads(pickle.dumps(budget))
    assert not restored.stop_all()  # reads the file first
    assert restored._limit == 0.001
    assert not budget("trial", {})

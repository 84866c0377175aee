"""What is reserved for a trial."""

import logging

import pytest

from tune_training.tune.resources import reserved_bytes

GB = 10**9


def test_a_trial_reserves_what_it_needs(caplog: pytest.LogCaptureFixture) -> None:
    assert reserved_bytes(4 * GB, 6.0 * GB) == 4 * GB
    assert not caplog.messages


def test_where_no_node_has_as_much_one_runs_at_a_time_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert reserved_bytes(4 * GB, 3.5 * GB) == 3.5 * GB
    assert "a trial may need 4.0 GB of memory, and the largest node has 3.5 GB for all: one runs at a time" in caplog.text

"""What the log of a search says where there is no terminal."""

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from tune_training.tune.progress import LINE_S, TABLE_S, Progress


@dataclass(eq=False)
class FakeTrial:
    """What is read of Ray Tune's trials."""

    trial_id: str
    config: dict[str, Any] = field(default_factory=lambda: {"learning_rate": 1e-3, "balance": "source"})
    last_result: dict[str, Any] | None = None
    status: str = "RUNNING"

    def __str__(self) -> str:
        return f"trial_{self.trial_id}"


class Clock:
    """Seconds, set by the test."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock, caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO)
    return Progress("balanced_accuracy", ["learning_rate", "balance"], clock)


def finish_epoch(progress: Any, trial: FakeTrial, epoch: int) -> None:
    trial.last_result = {"epoch": epoch, "balanced_accuracy": 0.91234, "loss": 0.25, "images_per_second": 52.0}
    progress.on_trial_result(0, [trial], trial, trial.last_result)


def test_a_trial_has_a_line_at_most_every_ten_seconds(progress: Any, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    one, other = FakeTrial("1"), FakeTrial("2")
    for epoch in range(1, 5):
        finish_epoch(progress, one, epoch)
        finish_epoch(progress, other, epoch)
        clock.now += LINE_S / 2
    assert caplog.messages == [
        f"trial_{name}: epoch {epoch}, balanced_accuracy 0.9123, loss 0.25, images_per_second 52" for epoch in (1, 3) for name in (1, 2)
    ]


def test_a_table_of_all_trials_is_told_when_one_ends_and_at_the_end(progress: Any, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    ended, waiting = FakeTrial("1"), FakeTrial("2", status="PENDING")
    finish_epoch(progress, ended, 8)
    caplog.clear()
    progress.on_trial_complete(0, [ended, waiting], ended)
    progress.on_trial_complete(0, [ended, waiting], ended)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].splitlines()[2].split()[:2] == ["trial_1", "terminated"]
    ended.status = "TERMINATED"
    clock.now += TABLE_S
    progress.on_trial_complete(0, [ended, waiting], ended)
    progress.on_experiment_end([ended, waiting])
    assert len(caplog.messages) == 3
    title, head, *rows = caplog.messages[-1].splitlines()
    assert title == "trials:"
    assert head.split() == ["trial", "status", "epoch", "balanced_accuracy", "learning_rate", "balance"]
    assert [row.split() for row in rows] == [
        ["trial_1", "terminated", "8", "0.9123", "0.001", "source"],
        ["trial_2", "pending", "0.001", "source"],
    ]

"""What a worker tells the command; tests/tune has real ones."""

import logging
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tune_training.io.errors import InputError
from tune_training.train import workers as module
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.training import Training
from tune_training.train.workers import train_worker

ASKED = Training("vit", 32, [], [], Path("run"), ClassifierRecipe(), None, 1)
Lines = SimpleQueue[logging.LogRecord]


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger = logging.getLogger("tune_training")
    level, handlers = logger.level, list(logger.handlers)
    yield SimpleQueue()
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_what_the_user_can_mend_is_told_and_not_raised(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker raises, Ray Train tries again."""

    def refused(asked: Training) -> None:
        raise InputError("another run's folder")

    monkeypatch.setattr(module, "run_training", refused)
    assert train_worker({"asked": ASKED, "lines": lines}) == "another run's folder"


@pytest.mark.parametrize(("rank", "told"), [(0, ["epoch 1/2"]), (1, [])])
def test_the_first_worker_alone_tells_of_its_epochs(rank: int, told: list[str], lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(asked: Training) -> None:
        logging.getLogger("tune_training.train.loop").info("epoch %d/%d", 1, 2)

    monkeypatch.setattr(module, "rank", lambda: rank)
    monkeypatch.setattr(module, "run_training", trained)
    assert train_worker({"asked": ASKED, "lines": lines}) == ""
    assert [lines.get().getMessage() for _ in range(lines.qsize())] == told

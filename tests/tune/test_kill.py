"""SIGKILL a trial's worker, then the command itself; the same command again ends the search, and finished epochs are not repeated."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil

from tests.support.s3 import S3Server
from tests.support.tuning import TinySearch
from tune_training.tune import read_result

EPOCHS = 40
PATIENCE_S = 120


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks; the condition decides


def epochs_done(run: Path) -> dict[str, int]:
    """By trial: a checkpoint's number counts the epochs before it."""
    numbers: dict[str, int] = {}
    for folder in run.glob("search/*/checkpoint_*"):
        numbers[folder.parent.name] = max(numbers.get(folder.parent.name, 0), int(folder.name.rpartition("_")[2]) + 1)
    return numbers


def workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that train."""
    return [each for each in psutil.Process(process.pid).children(recursive=True) if "ray::" in "".join(each.cmdline()) and _trains(each)]


def _trains(process: psutil.Process) -> bool:
    return "ImplicitFunc" in process.cmdline()[0] or "run_trial" in process.cmdline()[0]


def test_a_search_survives_the_death_of_a_worker_and_of_itself(store: S3Server, tmp_path: Path) -> None:
    tiny = TinySearch(tmp_path, EPOCHS).write()
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tune_training", "tune", tiny.manifest, "--run-dir", str(run), "--space", str(tiny.space)]
    command += ["--start", tiny.start, "--trials", "2"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: max(epochs_done(run).values(), default=0) >= 3, first)
        before_worker = epochs_done(run)
        (victim, *_) = workers(first)
        os.kill(victim.pid, signal.SIGKILL)
        worker_killed = time.time()
        longest = max(before_worker, key=lambda name: before_worker[name])
        wait_until(lambda: max(epochs_done(run).values()) >= before_worker[longest] + 4, first)
        before_driver = epochs_done(run)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    driver_killed = time.time()
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert second.returncode == 0, second.stderr[-2000:]
    result = read_result(str(run))
    assert result is not None
    assert (result.failed, result.trials) == (0, 2)
    assert result.original is not None
    assert result.original.epochs_run == EPOCHS
    table = pd.read_csv(run / "trials.csv")
    for _, trial in table.groupby("name"):
        assert trial["epoch"].tolist() == list(range(1, len(trial) + 1))
    for killed, done in ((worker_killed, before_worker), (driver_killed, before_driver)):
        for name, epochs in done.items():
            rows = table[table["name"] == name]
            again = rows[(rows["epoch"] <= epochs) & (rows["ended"] > killed)]
            assert len(again) <= 1, f"{name} had done {epochs} epochs, and did {again['epoch'].tolist()} again"
    assert driver_killed < table["ended"].max()

"""Kill the trials' workers, kill or interrupt the command itself. The same command resumes and trains no finished epoch again.

An epoch is finished when its trial's folder records it. Each kill comes while Ray Tune has yet to hear of a finished epoch: the command is
paused (SIGSTOP) at the moment when a worker has stored one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.support.processes import of_each
from tests.support.s3 import S3Server
from tests.support.tuning import TinySearch
from tune_training.tune.experiment import BUDGET_FILE
from tune_training.tune.result import BEST, read_result
from tune_training.tune.trial_folder import read_trial

EPOCHS = 10
PATIENCE_S = 120

History = list[dict[str, Any]]


def finished(run: Path) -> dict[str, History]:
    """The recorded history of each trial by name, including when each epoch ended."""
    found = {folder.name: read_trial(str(folder)) for folder in run.glob("search/trial_*")}
    return {name: [dict(each) for each in record.history] for name, record in found.items() if record}


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[Any]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, "the search ended before it could be killed"
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)  # polling interval; the condition decides
    return True


def grew(run: Path, before: Mapping[str, History]) -> bool:
    return any(len(history) > len(before.get(name, [])) for name, history in finished(run).items())


def halt_with_an_unreported_epoch(process: subprocess.Popen[Any], run: Path) -> None:
    """Pauses the command as soon as a worker has stored another epoch: its report comes later, and the command takes longer to take it."""
    before = finished(run)
    assert wait_until(lambda: grew(run, before), process)
    os.kill(process.pid, signal.SIGSTOP)


def workers(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """The worker processes that train."""
    family = psutil.Process(process.pid).children(recursive=True)
    found = [each for each, command in of_each(family, psutil.Process.cmdline).items() if command and _trains(command[0])]
    assert found
    return found


def kill(processes: list[psutil.Process]) -> None:
    of_each(processes, psutil.Process.kill)
    deadline = time.monotonic() + PATIENCE_S
    while not all(_is_gone(each) for each in processes):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # polling interval


def _is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # its parent is dead, so it may never be reaped
    except psutil.NoSuchProcess:
        return True


def _trains(title: str) -> bool:
    return title.startswith("ray::") and ("ImplicitFunc" in title or "run_trial" in title)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_an_interrupted_search_is_neither_judged_nor_published(store: S3Server, tmp_path: Path, number: signal.Signals) -> None:
    tiny = TinySearch(tmp_path, EPOCHS).write()
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tune_training", "tune", tiny.manifest, "--run-dir", str(run), "--space", str(tiny.space)]
    command += ["--start", tiny.start, "--trials", "3"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: bool(finished(run)), process)
        os.kill(process.pid, number)
        output, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    # Of SIGTERM, Ray's own shutdown may make another status.
    assert process.returncode == 130 if number is signal.SIGINT else process.returncode, errors[-2000:]
    assert "interrupted: run the same command again to go on" in errors
    assert "Traceback" not in errors
    assert "The model" not in output
    assert read_result(str(run)) is None
    assert not (run / BEST).exists()


def test_a_search_survives_the_death_of_its_workers_and_of_itself(store: S3Server, tmp_path: Path) -> None:
    tiny = TinySearch(tmp_path, EPOCHS).write()
    # One photo per step: the search is to last longer than the two kills.
    tiny.space.write_text(tiny.space.read_text().replace("batch_size: 16", "batch_size: 1").replace("search:", "search:\n  batch_size: 1"))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tune_training", "tune", tiny.manifest, "--run-dir", str(run), "--space", str(tiny.space)]
    command += ["--start", tiny.start, "--trials", "2", "--minutes", "60"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: bool(finished(run)), first)
        halt_with_an_unreported_epoch(first, run)
        kill(workers(first))
        before_workers_died = finished(run)
        os.kill(first.pid, signal.SIGCONT)
        assert wait_until(lambda: grew(run, before_workers_died), first)
        halt_with_an_unreported_epoch(first, run)
        orphans = workers(first)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    kill(orphans)
    before_it_died = finished(run)
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert second.returncode == 0, second.stderr[-2000:]
    result = read_result(str(run))
    assert result is not None
    assert (result.failed, result.trials) == (0, 2)
    assert result.original is not None
    assert result.original.epochs_run == EPOCHS
    at_the_end = finished(run)
    for before in (before_workers_died, before_it_died):
        assert before
        for name, history in before.items():
            assert at_the_end[name][: len(history)] == history, f"{name} had finished {len(history)} epochs, and trained some of them again"
    for name, trial in pd.read_csv(run / "trials.csv").groupby("name"):
        assert trial["epoch"].tolist() == list(range(1, len(trial) + 1))
        assert trial["ended"].tolist() == [record["ended"] for record in at_the_end[name]]
    assert json.loads((run / BUDGET_FILE).read_text())["limit_s"] == 3600

"""What other programs take of the machine is told apart from what the measurement takes."""

import os
import time
from types import SimpleNamespace

import psutil
import pytest

from benchmarks.other_work import OtherWork


@pytest.mark.parametrize(
    ("machine_s", "own_s", "server_s", "cores"),
    [(20, 3, 16, 0.1), (20, 0, 0, 2.0), (20, 4, 16.1, 0.0)],
    ids=["a little", "all of it", "the clocks tick differently"],
)
def test_it_is_what_the_machine_did_without_us_and_the_server(
    monkeypatch: pytest.MonkeyPatch, machine_s: float, own_s: float, server_s: float, cores: float
) -> None:
    passed = 0.0

    def machine() -> SimpleNamespace:
        return SimpleNamespace(user=100 + machine_s * passed / 2, steal=machine_s * passed / 2, idle=7 * passed)

    def ours() -> SimpleNamespace:
        return SimpleNamespace(user=5, system=own_s * passed / 2, children_user=own_s * passed / 2, children_system=1)

    monkeypatch.setattr(psutil, "cpu_times", machine)
    monkeypatch.setattr(os, "times", ours)
    monkeypatch.setattr(time, "monotonic", lambda: 50 + 10 * passed)
    others = OtherWork(lambda: 30 + server_s * passed)
    passed = 1.0
    assert others.cores() == pytest.approx(cores)

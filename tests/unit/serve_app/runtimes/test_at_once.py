"""Inferences at the same time: one alone takes the network with all threads, others those with one thread each, and none is used twice."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from serve_app.runtimes.at_once import AtOnce, idle_cores
from serve_app.runtimes.base import Floats, Run

PIXELS = np.zeros((1, 2, 2, 3), np.uint8)
THREADS = 2


class Network:
    """Notes that it is used, and is never used by two callers; `then` is called meanwhile."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.then = then
        self.calls = 0
        self._used = threading.Lock()

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        assert self._used.acquire(blocking=False)
        try:
            self.calls += 1
            self.then()
            return (np.zeros((len(pixels), 1), np.float32),)
        finally:
            self._used.release()


def at_once(alone: Run, beside: Sequence[Run], idle: int = THREADS - 1) -> AtOnce:
    """On a machine with so many idle cores, whatever the one of the tests does."""
    return AtOnce(alone, THREADS, beside, lambda: idle)


def test_one_inference_after_the_other_has_all_threads() -> None:
    alone, beside = Network(), [Network(), Network()]
    several = at_once(alone, beside)
    for _ in range(3):
        (output,) = several(PIXELS)
        assert output.shape == (1, 1)
    assert (alone.calls, [each.calls for each in beside]) == (3, [0, 0])


def test_while_others_use_the_cores_it_has_one_thread() -> None:
    alone, beside = Network(), [Network(), Network()]
    several = at_once(alone, beside, idle=THREADS - 2)
    for _ in range(3):
        several(PIXELS)
    assert (alone.calls, sum(each.calls for each in beside)) == (0, 3)


def test_whoever_is_done_a_moment_later_does_not_count() -> None:
    alone = Network()
    idle = iter([0, 1])
    AtOnce(alone, THREADS, [Network()], lambda: next(idle))(PIXELS)
    assert alone.calls == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_a_busy_thread_of_another_process_makes_a_core_less_idle() -> None:
    cores = os.cpu_count() or 1
    spin = "print(flush=True)\nwhile True: pass"
    with ExitStack() as stack:
        for _ in range(cores):
            other = stack.enter_context(subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE))
            stack.callback(other.kill)
            assert other.stdout
            other.stdout.readline()
        assert idle_cores() <= -1  # all of them, and this one


def test_where_the_system_does_not_tell_all_cores_but_the_callers_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", refuse)
    assert idle_cores() == (os.cpu_count() or 1) - 1


def refuse(*_: object, **__: object) -> str:
    raise FileNotFoundError


def test_further_ones_have_a_thread_each_also_beside_another_network() -> None:
    together = threading.Barrier(3)
    alone, beside = Network(), [Network(lambda: together.wait(30)), Network(lambda: together.wait(30))]
    several = at_once(alone, beside)
    other = Network(lambda: together.wait(30))
    first = at_once(other, [])
    with ThreadPoolExecutor(3) as threads:
        running = threads.submit(first, PIXELS)
        while not other.calls:
            pass
        others = [threads.submit(several, PIXELS) for _ in range(2)]
        for each in (running, *others):
            each.result(30)
    assert (alone.calls, [each.calls for each in beside]) == (0, [1, 1])
    several(PIXELS)
    assert alone.calls == 1


def test_more_callers_than_networks_wait_their_turn() -> None:
    alone, beside = Network(), [Network(), Network()]
    several = at_once(alone, beside)
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(lambda _: several(PIXELS), range(400)))
    assert len(outputs) == 400
    assert alone.calls + sum(each.calls for each in beside) == 400


def test_a_failure_gives_the_network_back() -> None:
    def fail() -> None:
        raise ValueError("broken")

    alone, once = Network(), Network(fail)
    several = at_once(alone, [once])
    for _ in range(2):
        alone.then = lambda: _fails(several)
        several(PIXELS)
    assert (alone.calls, once.calls) == (2, 2)


def _fails(several: AtOnce) -> None:
    try:
        several(PIXELS)
    except ValueError:
        return
    raise AssertionError("it did not fail")


def test_warming_up_runs_each_of_them() -> None:
    alone, beside = Network(), [Network(), Network()]
    at_once(alone, beside).warm(PIXELS)
    assert [each.calls for each in (alone, *beside)] == [1, 1, 1]

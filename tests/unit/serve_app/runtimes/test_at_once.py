"""Inferences at the same time: one alone takes the network with all threads, others those with one thread each, and none is used twice."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from serve_app.runtimes.at_once import AtOnce
from serve_app.runtimes.base import Floats

PIXELS = np.zeros((1, 2, 2, 3), np.uint8)


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


def test_one_inference_after_the_other_has_all_threads() -> None:
    alone, beside = Network(), [Network(), Network()]
    several = AtOnce(alone, beside)
    for _ in range(3):
        (output,) = several(PIXELS)
        assert output.shape == (1, 1)
    assert (alone.calls, [each.calls for each in beside]) == (3, [0, 0])


def test_further_ones_have_a_thread_each_also_beside_another_network() -> None:
    together = threading.Barrier(3)
    alone, beside = Network(), [Network(lambda: together.wait(30)), Network(lambda: together.wait(30))]
    several = AtOnce(alone, beside)
    other = Network(lambda: together.wait(30))
    first = AtOnce(other, [])
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
    several = AtOnce(alone, beside)
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(lambda _: several(PIXELS), range(400)))
    assert len(outputs) == 400
    assert alone.calls + sum(each.calls for each in beside) == 400


def test_a_failure_gives_the_network_back() -> None:
    def fail() -> None:
        raise ValueError("broken")

    alone, once = Network(), Network(fail)
    several = AtOnce(alone, [once])
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
    AtOnce(alone, beside).warm(PIXELS)
    assert [each.calls for each in (alone, *beside)] == [1, 1, 1]

"""The watch knows how long the oldest work has run, whichever thread does it."""

import threading

import pytest

from serve_app.graph.watch import HungError, Watch
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_idle_is_healthy_for_ever(clock: Clock) -> None:
    watch = Watch(10, clock)
    with watch.working("a batch"):
        pass
    clock.now += 1000
    watch.check()
    assert watch.oldest_s == 0


def test_the_oldest_work_counts(clock: Clock) -> None:
    watch = Watch(10, clock)
    with watch.working("decoding a photo"):
        clock.now += 6
        with watch.working("a batch"):
            clock.now += 3
            assert watch.oldest_s == 9
            watch.check()
            clock.now += 2
            with pytest.raises(HungError, match=r"decoding a photo has run for 11 s, more than the 10 s of HANG_AFTER_S"):
                watch.check()
    watch.check()


def test_work_that_fails_is_over(clock: Clock) -> None:
    watch = Watch(10, clock)
    with pytest.raises(ValueError, match="poison"), watch.working("a batch"):
        raise ValueError("poison")
    clock.now += 11
    watch.check()


def test_a_hung_thread_is_seen_from_another_one(clock: Clock) -> None:
    watch, started, release = Watch(10, clock), threading.Event(), threading.Event()

    def hang() -> None:
        with watch.working("a batch"):
            started.set()
            release.wait(30)

    thread = threading.Thread(target=hang)
    thread.start()
    assert started.wait(30)
    clock.now += 11
    with pytest.raises(HungError):
        watch.check()
    release.set()
    thread.join()
    watch.check()

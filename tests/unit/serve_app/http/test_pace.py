"""The pace: seconds per photo while there are photos, over the last answers."""

import pytest

from serve_app.http.pace import ENOUGH, WINDOW, Pace
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def answer(pace: Pace, clock: Clock, photos: int, seconds: float) -> None:
    """Answers photos one after the other, `seconds` each."""
    for _ in range(photos):
        clock.now += seconds
        pace.answered()


def test_too_few_answers_are_no_pace(pace: Pace, clock: Clock) -> None:
    pace.began(20)
    answer(pace, clock, ENOUGH - 1, 2.0)
    assert pace.seconds_per_photo is None
    answer(pace, clock, 1, 2.0)
    assert pace.seconds_per_photo == pytest.approx(2.0)


def test_answers_that_come_in_batches_count_each(pace: Pace, clock: Clock) -> None:
    pace.began(WINDOW)
    for _ in range(4):
        clock.now += 4.0
        answer(pace, clock, 8, 0.0)
    assert pace.seconds_per_photo == pytest.approx(0.5, rel=0.3)


def test_idle_time_does_not_count(pace: Pace, clock: Clock) -> None:
    for _ in range(WINDOW):
        pace.began(1)
        answer(pace, clock, 1, 0.5)
        pace.ended(1)
        clock.now += 3600
    assert pace.seconds_per_photo == pytest.approx(0.5)


def test_only_the_last_answers_count(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer(pace, clock, WINDOW, 5.0)
    answer(pace, clock, WINDOW, 0.1)
    assert pace.seconds_per_photo == pytest.approx(0.1)


def test_a_graph_that_stops_answering_slows_down(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer(pace, clock, WINDOW, 0.1)
    before = pace.seconds_per_photo
    clock.now += 60
    after = pace.seconds_per_photo
    assert before is not None
    assert after is not None
    assert after > 10 * before


def test_photos_that_come_back_without_an_answer_are_no_progress(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer(pace, clock, WINDOW, 0.1)
    for _ in range(100):
        clock.now += 1.0
        pace.ended(1)
    seconds = pace.seconds_per_photo
    assert seconds is not None
    assert seconds > 1.0

"""Admission: what does not fit is refused at once, and what was held is always released."""

import asyncio

import pytest

from serve_app.codes import Code
from serve_app.http.admission import ENOUGH, LEAST_PHOTOS, WINDOW, Budget, Pace, PhotoAdmission
from serve_app.http.faults import Refused
from tests.support.clock import Clock


def test_holds_up_to_its_limit() -> None:
    budget = Budget(3)
    with budget.hold(2), budget.hold(1):
        assert budget.in_use == 3
    assert budget.in_use == 0


def test_refuses_what_does_not_fit_whole_and_keeps_what_is_held() -> None:
    budget = Budget(3)
    with budget.hold(2):
        with pytest.raises(Refused) as refused, budget.hold(2):
            pytest.fail("it was admitted")
        assert refused.value.code is Code.OVERLOADED
        assert budget.in_use == 2
    assert budget.in_use == 0


def test_takes_more_while_held() -> None:
    budget = Budget(3)
    with budget.hold() as take:
        take(1)
        take(2)
        assert budget.in_use == 3
        with pytest.raises(Refused):
            take(1)
        assert budget.in_use == 3
    assert budget.in_use == 0


def test_an_exception_gives_back() -> None:
    budget = Budget(3)
    with pytest.raises(ValueError, match="broken"), budget.hold(3):
        raise ValueError("broken")
    assert budget.in_use == 0


async def test_cancellation_gives_back() -> None:
    budget = Budget(1)
    entered = asyncio.Event()

    async def work() -> None:
        with budget.hold(1):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    assert budget.in_use == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert budget.in_use == 0


async def test_concurrent_holders_beyond_the_limit_are_refused_while_the_others_work() -> None:
    budget = Budget(4)
    release = asyncio.Event()

    async def work() -> bool:
        try:
            with budget.hold(1):
                await release.wait()
                return True
        except Refused:
            return False

    tasks = [asyncio.create_task(work()) for _ in range(10)]
    refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert budget.in_use == 4
    release.set()
    assert sorted(await asyncio.gather(*tasks)) == [False] * 6 + [True] * 4
    assert all(task.result() is False for task in refused)
    assert budget.in_use == 0


# --- the pace: seconds per photo while photos are in flight, over the last answers ----------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def answer_each(pace: Pace, clock: Clock, photos: int, seconds: float) -> None:
    """Answers photos one by one, `seconds` each."""
    for _ in range(photos):
        clock.now += seconds
        pace.answered()


def test_too_few_answers_are_no_pace(pace: Pace, clock: Clock) -> None:
    pace.began(20)
    answer_each(pace, clock, ENOUGH - 1, 2.0)
    assert pace.seconds_per_photo is None
    answer_each(pace, clock, 1, 2.0)
    assert pace.seconds_per_photo == pytest.approx(2.0)


def test_answers_that_come_in_batches_count_each(pace: Pace, clock: Clock) -> None:
    pace.began(WINDOW)
    for _ in range(4):
        clock.now += 4.0
        answer_each(pace, clock, 8, 0.0)
    assert pace.seconds_per_photo == pytest.approx(0.5, rel=0.3)


def test_idle_time_does_not_count(pace: Pace, clock: Clock) -> None:
    for _ in range(WINDOW):
        pace.began(1)
        answer_each(pace, clock, 1, 0.5)
        pace.ended(1)
        clock.now += 3600
    assert pace.seconds_per_photo == pytest.approx(0.5)


def test_only_the_last_answers_count(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer_each(pace, clock, WINDOW, 5.0)
    answer_each(pace, clock, WINDOW, 0.1)
    assert pace.seconds_per_photo == pytest.approx(0.1)


def test_a_graph_that_stops_answering_slows_down(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer_each(pace, clock, WINDOW, 0.1)
    before = pace.seconds_per_photo
    clock.now += 60
    after = pace.seconds_per_photo
    assert before is not None
    assert after is not None
    assert after > 10 * before


def test_photos_that_come_back_without_an_answer_are_no_progress(pace: Pace, clock: Clock) -> None:
    pace.began(1000)
    answer_each(pace, clock, WINDOW, 0.1)
    for _ in range(100):
        clock.now += 1.0
        pace.ended(1)
    seconds = pace.seconds_per_photo
    assert seconds is not None
    assert seconds > 1.0


# --- photos, at the pace of the models ------------------------------------------------------------------------------


def answer(admission: PhotoAdmission, pace: Pace, clock: Clock, seconds: float) -> None:
    """Answers photos one by one, `seconds` each, until the pace depends on these alone."""
    with admission.admit(1):
        for _ in range(WINDOW):
            clock.now += seconds
            pace.answered()


@pytest.fixture
def admission(pace: Pace) -> PhotoAdmission:
    return PhotoAdmission(most=64, within_s=10.0, pace=pace)


@pytest.mark.parametrize(
    ("seconds", "limit"), [(0.05, 64), (0.5, 20), (2.0, LEAST_PHOTOS)], ids=["fast: the fixed limit", "slow: in time", "very slow: a batch"]
)
def test_the_pace_decides_how_many_photos_are_let_in(
    admission: PhotoAdmission, pace: Pace, clock: Clock, seconds: float, limit: int
) -> None:
    answer(admission, pace, clock, seconds)
    assert admission.limit == limit
    with admission.admit(1), admission.admit(limit - 1):
        with pytest.raises(Refused) as refused:
            admission.check()
        assert refused.value.code is Code.OVERLOADED
    admission.check()


def test_before_anything_is_measured_a_batch_is_let_in(admission: PhotoAdmission) -> None:
    with admission.admit(1), admission.admit(LEAST_PHOTOS - 1), pytest.raises(Refused):
        admission.check()


def test_the_fixed_limit_may_be_smaller_than_a_batch(pace: Pace) -> None:
    admission = PhotoAdmission(most=2, within_s=10.0, pace=pace)
    with admission.admit(1), admission.admit(1), pytest.raises(Refused):
        admission.check()


def test_an_idle_service_takes_a_whole_batch_however_slow_it_is(admission: PhotoAdmission, pace: Pace, clock: Clock) -> None:
    answer(admission, pace, clock, 5.0)
    with admission.admit(64), pytest.raises(Refused):
        admission.check()


@pytest.mark.parametrize(("seconds", "photos", "after"), [(0.01, 64, 1), (0.5, 20, 1), (0.5, 24, 3), (2.0, 8, 2), (2.0, 60, 10)])
def test_a_refusal_says_when_there_should_be_room(
    admission: PhotoAdmission, pace: Pace, clock: Clock, seconds: float, photos: int, after: int
) -> None:
    answer(admission, pace, clock, seconds)
    with admission.admit(photos), pytest.raises(Refused) as refused:
        admission.check()
    assert refused.value.retry_after_s == after


def test_a_model_that_got_faster_lets_more_in_again(admission: PhotoAdmission, pace: Pace, clock: Clock) -> None:
    answer(admission, pace, clock, 5.0)
    answer(admission, pace, clock, 0.01)
    assert admission.limit == 64

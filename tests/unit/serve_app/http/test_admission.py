"""Admission: what does not fit is refused at once, and what was held is always released."""

import asyncio
import contextlib
from contextlib import AbstractContextManager

import pytest

from serve_app.codes import Code
from serve_app.http.admission import ENOUGH, LEAST_PHOTOS, SHARE_OF_STREAMS, WINDOW, Budget, Pace, PhotoAdmission, PhotoInFlight
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


def test_what_is_dropped_is_given_back_before_the_rest() -> None:
    budget = Budget(3)
    with budget.hold(3) as take:
        take(-2)
        with budget.hold(2):
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


class Graph:
    """Photos in flight, which end as the test says, in the order in which they began."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock
        self._photos: list[tuple[AbstractContextManager[PhotoInFlight], PhotoInFlight]] = []

    def begin(self, photos: int) -> None:
        for _ in range(photos):
            entered = self._pace.photo()
            self._photos.append((entered, entered.__enter__()))

    def end(self, code: Code, photos: int = 1, *, seconds: float = 0.0, cost: int = 1) -> None:
        """Ends photos one by one, after `seconds` each."""
        for _ in range(photos):
            self._clock.now += seconds
            entered, photo = self._photos.pop(0)
            photo.ended(code, cost)
            entered.__exit__(None, None, None)


@pytest.fixture
def graph(pace: Pace, clock: Clock) -> Graph:
    return Graph(pace, clock)


def seconds_per_photo(pace: Pace) -> float:
    seconds = pace.seconds_per_photo
    assert seconds is not None
    return seconds


def test_an_answer_that_costs_as_much_as_several_photos_counts_as_these(pace: Pace, graph: Graph) -> None:
    graph.begin(1 + WINDOW)
    graph.end(Code.OK, cost=12)
    graph.end(Code.OK, ENOUGH, seconds=1.2, cost=12)
    assert seconds_per_photo(pace) == pytest.approx(0.1)
    graph.end(Code.OK, WINDOW - ENOUGH, seconds=0.1)
    assert seconds_per_photo(pace) == pytest.approx(0.1)


def test_too_few_answers_are_no_pace(pace: Pace, graph: Graph) -> None:
    graph.begin(20)
    graph.end(Code.OK, ENOUGH - 1, seconds=2.0)
    assert pace.seconds_per_photo is None
    graph.end(Code.NO_PERSON, seconds=2.0)
    assert pace.seconds_per_photo == pytest.approx(2.0)


def test_answers_that_come_in_batches_count_each(pace: Pace, clock: Clock, graph: Graph) -> None:
    graph.begin(WINDOW)
    for _ in range(4):
        clock.now += 4.0
        graph.end(Code.OK, 8)
    assert pace.seconds_per_photo == pytest.approx(0.5, rel=0.3)


def test_idle_time_does_not_count(pace: Pace, clock: Clock, graph: Graph) -> None:
    for _ in range(WINDOW):
        graph.begin(1)
        graph.end(Code.OK, seconds=0.5)
        clock.now += 3600
    assert pace.seconds_per_photo == pytest.approx(0.5)


def test_only_the_last_answers_count(pace: Pace, graph: Graph) -> None:
    graph.begin(1000)
    graph.end(Code.OK, WINDOW, seconds=5.0)
    graph.end(Code.OK, WINDOW, seconds=0.1)
    assert pace.seconds_per_photo == pytest.approx(0.1)


def test_a_graph_that_stops_answering_slows_down(pace: Pace, clock: Clock, graph: Graph) -> None:
    graph.begin(1000)
    graph.end(Code.OK, WINDOW, seconds=0.1)
    before = seconds_per_photo(pace)
    clock.now += 60
    assert seconds_per_photo(pace) > 10 * before


@pytest.mark.parametrize("code", [Code.TIMEOUT, Code.OVERLOADED, Code.INTERNAL])
def test_photos_that_come_back_without_an_answer_are_no_progress(pace: Pace, graph: Graph, code: Code) -> None:
    graph.begin(1000)
    graph.end(Code.OK, WINDOW, seconds=0.1)
    graph.end(code, 100, seconds=1.0)
    assert seconds_per_photo(pace) > 1.0


def test_a_photo_whose_client_leaves_is_no_progress_either(pace: Pace, clock: Clock, graph: Graph) -> None:
    graph.begin(WINDOW)
    graph.end(Code.OK, WINDOW, seconds=0.1)
    with contextlib.suppress(asyncio.CancelledError), pace.photo():
        clock.now += 60
        raise asyncio.CancelledError
    assert seconds_per_photo(pace) > 1.0


@pytest.mark.parametrize("code", [Code.NOT_AN_IMAGE, Code.CORRUPT_IMAGE, Code.IMAGE_TOO_LARGE])
def test_files_that_are_refused_say_nothing_about_the_models(pace: Pace, graph: Graph, code: Code) -> None:
    graph.begin(WINDOW)
    graph.end(Code.OK, WINDOW, seconds=0.1)
    for _ in range(1000):
        graph.begin(5)
        graph.end(code, 5, seconds=0.1)
    assert pace.seconds_per_photo == pytest.approx(0.1)


def test_between_photos_they_take_their_share_of_the_time_with_them(pace: Pace, clock: Clock, graph: Graph) -> None:
    for _ in range(WINDOW):
        graph.begin(2)
        clock.now += 0.4
        graph.end(Code.NOT_AN_IMAGE)
        graph.end(Code.OK)
    assert pace.seconds_per_photo == pytest.approx(0.2)


def test_refused_files_alone_are_no_pace(pace: Pace, graph: Graph) -> None:
    graph.begin(100)
    graph.end(Code.NOT_AN_IMAGE, 100, seconds=0.001)
    assert pace.seconds_per_photo is None


# --- photos, at the pace of the models ------------------------------------------------------------------------------


def answer(graph: Graph, seconds: float) -> None:
    """Answers photos one by one, `seconds` each, until the pace depends on these alone."""
    for _ in range(WINDOW):
        graph.begin(1)
        graph.end(Code.OK, seconds=seconds)


@pytest.fixture
def admission(pace: Pace) -> PhotoAdmission:
    return PhotoAdmission(most=64, within_s=10.0, pace=pace)


@pytest.mark.parametrize(
    ("seconds", "limit"), [(0.05, 64), (0.5, 20), (2.0, LEAST_PHOTOS)], ids=["fast: the fixed limit", "slow: in time", "very slow: a batch"]
)
def test_the_pace_decides_how_many_photos_are_let_in(admission: PhotoAdmission, graph: Graph, seconds: float, limit: int) -> None:
    answer(graph, seconds)
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


def test_an_idle_service_takes_a_whole_batch_however_slow_it_is(admission: PhotoAdmission, graph: Graph) -> None:
    answer(graph, 5.0)
    with admission.admit(64), pytest.raises(Refused):
        admission.check()


@pytest.mark.parametrize(("seconds", "photos", "after"), [(0.01, 64, 1), (0.5, 20, 1), (0.5, 24, 3), (2.0, 8, 2), (2.0, 60, 10)])
def test_a_refusal_says_when_there_should_be_room(admission: PhotoAdmission, graph: Graph, seconds: float, photos: int, after: int) -> None:
    answer(graph, seconds)
    with admission.admit(photos), pytest.raises(Refused) as refused:
        admission.check()
    assert refused.value.retry_after_s == after


def test_a_model_that_got_faster_lets_more_in_again(admission: PhotoAdmission, graph: Graph) -> None:
    answer(graph, 5.0)
    answer(graph, 0.01)
    assert admission.limit == 64


# --- streams wait -----------------------------------------------------------------------------------------------------


async def test_what_fits_does_not_wait_and_what_does_not_waits_until_it_does() -> None:
    budget = Budget(3)
    await budget.until_fits(3)
    with budget.hold(3) as take:
        waiting = asyncio.create_task(budget.until_fits(2))
        take(-1)
        await asyncio.sleep(0)
        assert not waiting.done()
        take(-1)
        await waiting


async def test_a_stream_gets_a_share_of_the_places() -> None:
    photos = PhotoAdmission(64, 10.0, Pace())
    with contextlib.ExitStack() as streams:
        for _ in range(int(LEAST_PHOTOS * SHARE_OF_STREAMS)):
            await photos.until_room()
            last = streams.enter_context(contextlib.ExitStack())
            last.enter_context(photos.admit(1))
        waiting = asyncio.create_task(photos.until_room())
        with photos.admit(1):  # of another request
            pass
        await asyncio.sleep(0)
        assert not waiting.done()
        last.close()
        await waiting


async def test_who_waits_no_longer_leaves_nothing_behind() -> None:
    budget = Budget(1)
    with budget.hold(1):
        waiting = asyncio.create_task(budget.until_fits(1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    with budget.hold(1):
        assert budget.in_use == 1

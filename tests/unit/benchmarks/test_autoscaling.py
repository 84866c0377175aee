"""What is derived from a run: reaction times, early scale-downs, and the outcomes of the photos sent in each second."""

from benchmarks.autoscaling import Sample, Second, by_second, detector_settings, summarise
from benchmarks.local_cluster import ReplicaCount
from benchmarks.traffic import Phase, Reply
from tests.support.service import CONFIG

PHASES = [Phase(1, 10), Phase(40, 20), Phase(1, 10)]
BEGAN = 1000.0


def reply(at: float, seconds: float, status: int | None, retry_after: float | None = None) -> Reply:
    return Reply(BEGAN + at, seconds, status, None, retry_after)


def samples(*counts: tuple[float, int, int]) -> list[Sample]:
    return [Sample(at, ReplicaCount(running, starting)) for at, running, starting in counts]


def test_a_run_says_how_long_replicas_took_and_that_none_went_during_the_burst() -> None:
    seen = samples((0, 1, 0), (11, 1, 0), (12.5, 1, 2), (18, 2, 1), (19, 3, 0), (35, 1, 0))
    run = summarise({}, PHASES, [reply(1, 0.1, 200)], seen, BEGAN)
    assert (run.seconds_to_decision, run.seconds_to_second_replica, run.steps_back) == (2.5, 8.0, 0)


def test_a_replica_that_goes_during_the_burst_is_a_step_back() -> None:
    seen = samples((0, 1, 0), (12, 1, 1), (15, 2, 0), (20, 1, 0), (25, 2, 0))
    assert summarise({}, PHASES, [reply(1, 0.1, 200)], seen, BEGAN).steps_back == 1


def test_without_a_reaction_there_is_no_time_of_it() -> None:
    run = summarise({}, PHASES, [reply(1, 0.1, 200)], samples((0, 1, 0), (20, 1, 0)), BEGAN)
    assert (run.seconds_to_decision, run.seconds_to_second_replica) == (None, None)


def test_photos_are_counted_in_the_second_in_which_they_were_sent() -> None:
    replies = [reply(0.1, 5.0, 200), reply(0.9, 0.2, 503, 1.0), reply(2.5, 0.1, None), reply(2.6, 0.3, 503)]
    assert list(by_second(replies, BEGAN)) == [Second(0, 2, 1, 1, 0, 5.0), Second(1, 0, 0, 0, 0, None), Second(2, 2, 0, 0, 2, None)]


def test_what_is_tried_is_what_is_shipped() -> None:
    assert detector_settings(CONFIG)["max_replicas"] >= 2

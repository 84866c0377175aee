"""From requests to rates and percentiles."""

import pytest

from benchmarks.samples import Sample, percentile_ms, summarise


def sample(scheduled: float, finished: float, status: int = 200, outcome: str = "ok", photo: int = 0) -> Sample:
    return Sample(photo, scheduled, finished, status, outcome)


@pytest.mark.parametrize(("percent", "milliseconds"), [(50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_a_latency_that_occurred(percent: float, milliseconds: float) -> None:
    samples = [sample(0, number / 1000) for number in range(100, 0, -1)]
    assert percentile_ms(samples, [200], percent) == pytest.approx(milliseconds)


def test_a_percentile_of_nothing_is_nothing() -> None:
    assert percentile_ms([sample(0, 1, 503)], [200], 50) is None


def test_the_warm_up_and_what_comes_later_do_not_count() -> None:
    summary = summarise([sample(0, 1), sample(2, 2.5), sample(3, 3.5), sample(5, 6)], start=2, seconds=2)
    assert (summary.answers, summary.answers_per_s) == (2, 1.0)
    assert summary.p99_ms == pytest.approx(500)


def test_an_answer_that_comes_after_the_end_counts_for_latency_and_not_for_the_rate() -> None:
    summary = summarise([sample(3.9, 9.9)], start=2, seconds=2)
    assert summary.answers_per_s == 0
    assert summary.p50_ms == pytest.approx(6000)


def test_refusals_are_counted_apart() -> None:
    summary = summarise([sample(0, 0.5), sample(0, 0.01, 503, "overloaded"), sample(0, 0.03, 429, "HTTP 429")], start=0, seconds=1)
    assert (summary.answers_per_s, summary.refusals_per_s) == (1, 2)
    assert summary.p50_ms == pytest.approx(500)
    assert summary.refusal_p99_ms == pytest.approx(30)


def test_whatever_else_came_is_named() -> None:
    summary = summarise([sample(0, 1, 504, "timeout"), sample(0, 1, 0, "TimeoutError"), sample(0, 1, 504, "timeout")], start=0, seconds=2)
    assert summary.others == {"504 timeout": 2, "0 TimeoutError": 1}


def test_answers_with_another_code_than_expected_are_counted() -> None:
    samples = [sample(0, 0.1, photo=0), sample(0, 0.1, photo=1), sample(0, 0.1, 503, "overloaded", photo=1)]
    assert summarise(samples, start=0, seconds=1, expected=["ok", "no_person"]).wrong == 1

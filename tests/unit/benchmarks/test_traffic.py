"""When photos are sent, and which refusals are polite."""

import pytest

from benchmarks.traffic import Phase, Reply, send_times


def test_photos_are_sent_at_the_rate_of_each_phase() -> None:
    times = list(send_times([Phase(10, 100), Phase(100, 100), Phase(0.5, 100)]))
    assert times == sorted(times)
    counts = [sum(start <= time < start + 100 for time in times) for start in (0, 100, 200)]
    assert counts == pytest.approx([1000, 10_000, 50], rel=0.2)
    assert len(times) == sum(counts)


def test_the_same_profile_is_sent_each_time() -> None:
    phases = [Phase(5, 10)]
    assert list(send_times(phases)) == list(send_times(phases))


@pytest.mark.parametrize(
    ("status", "retry_after", "polite"), [(503, 1.0, True), (503, None, False), (500, 1.0, False), (None, None, False)]
)
def test_a_refusal_is_polite_when_it_says_when_to_come_back(status: int | None, retry_after: float | None, polite: bool) -> None:
    assert Reply(0.0, 0.1, status, None, retry_after).is_polite_refusal is polite

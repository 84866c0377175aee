"""What a soak test sends, and how it judges the answers."""

from collections import Counter

import pytest

from benchmarks.samples import Sample
from benchmarks.soak import MemoryReading, SoakResult, growth_mb_per_hour, is_unexpected, mixed_bodies
from serve_app.settings import Settings

LARGEST = Settings.model_fields["max_image_bytes"].default


@pytest.mark.parametrize(
    ("status", "unexpected"), [(200, False), (400, False), (422, False), (503, False), (0, True), (500, True), (502, True), (504, True)]
)
def test_faults_and_missing_answers_are_unexpected(status: int, unexpected: bool) -> None:
    assert is_unexpected(Sample(0, 0.0, 1.0, status, "code")) is unexpected


def test_growth_is_the_slope_per_hour() -> None:
    readings = [MemoryReading(at, 1000 + at / 60 + noise) for at, noise in zip(range(0, 720, 60), [1, -1, -1, 1] * 3, strict=True)]
    assert growth_mb_per_hour(readings) == pytest.approx(60, abs=3)


def test_too_few_readings_say_nothing() -> None:
    assert growth_mb_per_hour([MemoryReading(0, 1), MemoryReading(5, 100)]) is None


def test_memory_has_a_third_of_the_time_to_settle() -> None:
    rising = [MemoryReading(at, at * 100) for at in range(0, 30, 5)]
    flat = [MemoryReading(at, 3000) for at in range(30, 91, 5)]
    result = SoakResult(90, *_nothing(), [*rising, *flat])
    assert result.growth_mb_per_hour() == pytest.approx(0, abs=1e-6)


def test_the_bodies_are_the_same_each_time_and_some_are_at_the_limits() -> None:
    bodies = mixed_bodies()
    assert len(bodies) == 160
    assert [len(body) for body in bodies] == [len(body) for body in mixed_bodies()]
    assert any(9_000_000 < len(body) <= LARGEST for body in bodies)
    assert any(len(body) > LARGEST for body in bodies)


def _nothing() -> tuple[Counter[str], Counter[str]]:
    return Counter(), Counter()

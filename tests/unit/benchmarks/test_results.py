"""What is derived from the measurements, and that writing and reading them loses nothing."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.bare import Speed, Way, core_splits, total_rate
from benchmarks.plot import write_plots
from benchmarks.report import print_report
from benchmarks.results import SCHEMA, BareResult, Machine, Point, Ratio, Results, Round, ServerResult, SetResult, mean_batches
from benchmarks.samples import LoadSummary

MACHINE = Machine(2, "a processor", 8.0, "3.11", {"torch": "2"}, "abc", "2026-01-01")
WAY = Way(2, 1, 4)


def point(answers_per_s: float, clients: int | None = None, rate: float | None = None, p50_ms: float = 40.0) -> Point:
    summary = LoadSummary(10, answers_per_s, 3.0, p50_ms, 90.0, 7.0, 100, 30, {"504 timeout": 1})
    return Point("a load", clients, rate, summary, 1.0, 20.0, 15.0, 900.0, {"detector": 3.5})


@pytest.fixture
def result() -> SetResult:
    """A service and two bare loops."""
    eager = BareResult("eager", [Speed(WAY, 61)], [Speed(WAY, 60), Speed(WAY, 40)], one_by_one_p50_ms=25.0)
    served = BareResult("as served", [], [], None)
    points = [point(20, clients=1), point(45, clients=16), point(44, clients=64), point(22, rate=22.5), point(36, rate=180)]
    rounds = [Round({"eager": 50, "as served": 90}, 45, 0.0), Round({"eager": 40}, 44, 0.3), Round({"eager": 48}, 24, 0.05)]
    return SetResult("embedded", {}, [eager, served], [ServerResult("service", 12.5, [], points, rounds)], ["a step: it failed"])


def test_a_disturbed_measurement_does_not_change_the_speed_of_a_bare_loop() -> None:
    assert BareResult("eager", [], [Speed(WAY, 60), Speed(WAY, 20), Speed(WAY, 58)]).photos_per_s() == 58
    assert BareResult("eager").photos_per_s() is None


def test_the_ratio_is_the_median_of_rounds_in_which_both_were_measured(result: SetResult) -> None:
    service, (eager, served) = result.servers[0], result.bare
    assert result.ratio(service, eager) == Ratio(median=0.9, low=0.5, high=1.1)
    assert result.ratio(service, served) == Ratio(median=0.5, low=0.5, high=0.5)
    assert service.most_clients() == 16


def test_a_machine_that_was_not_quiet_is_told(result: SetResult) -> None:
    assert result.other_cores() == 0.3
    assert SetResult("empty", {}).other_cores() == 0.0


def test_the_added_latency_is_that_of_one_client(result: SetResult) -> None:
    assert result.added_latency_ms(result.servers[0], result.bare[0]) == pytest.approx(15)


def test_the_overload_is_the_open_loop_with_the_highest_rate(result: SetResult) -> None:
    overload = result.servers[0].overload()
    assert overload
    assert overload.rate == 180


def test_what_was_not_measured_has_no_figures(result: SetResult) -> None:
    nothing = ServerResult("failed")
    assert result.ratio(nothing, result.bare[0]) is None
    assert result.ratio(result.servers[0], BareResult("another")) is None
    assert result.added_latency_ms(nothing, result.bare[0]) is None
    assert (nothing.saturated(), nothing.most_clients(), nothing.peak(), nothing.overload(), nothing.memory_mb()) == (
        None,
        None,
        None,
        None,
        None,
    )


def test_results_survive_being_written(result: SetResult, tmp_path: Path) -> None:
    results = Results(SCHEMA, MACHINE, "48 photos", [result])
    results.write(tmp_path / "new" / "results.json")
    assert Results.read(tmp_path / "new" / "results.json") == results


def test_the_report_shows_loads_figures_and_failures(result: SetResult) -> None:
    console = Console(width=250, record=True, file=io.StringIO())
    print_report(Results(SCHEMA, MACHINE, "48 photos", [result, SetResult("empty", {})]), console)
    text = console.export_text()
    quiet = "not quiet: other programs kept up to 0.30 cores"
    for shown in ("a processor", "48 photos", "0.900 (0.500 to 1.100)", quiet, "504 timeout: 1", "failed: a step: it failed"):
        assert shown in text


def test_only_pairs_with_open_loops_are_plotted(result: SetResult, tmp_path: Path) -> None:
    [file] = write_plots(Results(SCHEMA, MACHINE, "48 photos", [result, SetResult("empty", {})]), tmp_path)
    assert file.name == "embedded.png"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_mean_batches_are_of_what_ran_in_between() -> None:
    photos = {"detector": 16, "classifier": 0}
    assert mean_batches(photos, {"detector": 10, "classifier": 5}, {"detector": 14, "classifier": 5, "other": 2}) == {"detector": 4.0}


def test_cores_are_split_into_processes_or_threads() -> None:
    assert core_splits(2) == [(2, 1), (1, 2)]
    assert core_splits(1) == [(1, 1)]


def test_processes_are_counted_while_all_are_at_work() -> None:
    fast, slow = [1.0, 2.0, 3.0], [2.0, 4.0]
    assert total_rate([fast, slow], batch_size=4) == pytest.approx(3 * 4 / 3 + 1 * 4 / 2)

"""USD per 1,000 photos."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.cost import INSTANCES, PRICED, Instance, usd_per_1000
from benchmarks.report import print_report
from benchmarks.results import SCHEMA, Results, ServerResult, SetResult
from tests.unit.benchmarks.test_results import MACHINE, point

FOLDER = Path(__file__).parents[3] / "benchmarks"
README = (FOLDER / "README.md").read_text()


def test_a_thousand_photos_cost_the_time_that_they_take_on_all_cores() -> None:
    four_cores = Instance("four", 4, 3.6)  # a tenth of a cent per second
    assert usd_per_1000(four_cores, point(10), MACHINE) == pytest.approx(0.05)  # 5 photos/s a core, so 50 s
    assert usd_per_1000(four_cores, point(10), replace(MACHINE, cores=4)) == pytest.approx(0.1)
    assert usd_per_1000(four_cores, point(0), MACHINE) is None


def test_the_report_has_a_table_for_each_load() -> None:
    console = Console(width=250, record=True, file=io.StringIO())
    print_report(
        Results(SCHEMA, MACHINE, "48 photos", [SetResult("embedded", {}, [], [ServerResult("service", points=[point(54.5)])])]), console
    )
    text = " ".join(console.export_text().split())  # a narrow table breaks its title
    assert f"embedded: USD per 1,000 photos (list prices of {PRICED})" in text
    assert re.search(r"c7i\.large .* 0\.00045", text)


def test_the_readmes_table_is_of_these_prices_and_loads() -> None:
    section = README.partition("### What 1,000 photos cost")[2].partition("###")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")][2:]
    embedded, full_size = (Results.read(FOLDER / "results" / f"{models}.json") for models in ("embedded", "full-size"))
    points, of_full_size = (results.sets[0].servers[0].points for results in (embedded, full_size))
    alone = next(each for each in points if each.clients == 1)
    half = next(each for each in points if each.rate is not None)
    loads = [alone, half, *(max(some, key=lambda each: each.summary.answers_per_s) for some in (points, of_full_size))]
    assert [round(load.summary.answers_per_s, 2) for load in loads] == [56.5, 59.75, 113.88, 2.04]
    assert embedded.machine.cores == full_size.machine.cores
    assert rows == [
        [each.name, str(each.vcpus), str(each.usd_per_hour), *(f"{usd_per_1000(each, load, embedded.machine):.5f}" for load in loads)]
        for each in INSTANCES
    ]
    assert PRICED in section

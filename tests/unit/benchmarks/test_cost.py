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

README = (Path(__file__).parents[3] / "benchmarks" / "README.md").read_text()


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
    loads = [point(answers_per_s) for answers_per_s in (37.0, 28.9, 54.5, 0.80)]
    assert rows == [
        [each.name, str(each.vcpus), str(each.usd_per_hour), *(f"{usd_per_1000(each, load, MACHINE):.5f}" for load in loads)]
        for each in INSTANCES
    ]
    assert PRICED in section

"""A pytest plugin: a summary table of the test groups (the folders under tests/) with the reasons for skips; STRICT=1 forbids skips.

With GROUPS_FILE set, pytest writes its counts to that file instead, and `python -m tests.support.groups FILE...` prints one table.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

OUTCOMES = ("passed", "failed", "skipped")
FILE = os.environ.pop("GROUPS_FILE", "")  # removed, so that a pytest started by a test does not inherit it

Counts = defaultdict[str, Counter[str]]  # by group


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skipped test into a failure under STRICT=1."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turns a skipped file into a failure under STRICT=1."""
    report = yield
    _forbid_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table, or writes the counts to GROUPS_FILE."""
    counts: Counts = defaultdict(Counter)
    reasons: Counts = defaultdict(Counter)
    for outcome, category in [*zip(OUTCOMES, OUTCOMES, strict=True), ("failed", "error")]:
        for report in terminalreporter.stats.get(category, []):
            group = _group(report.nodeid)
            counts[group][outcome] += 1
            if outcome == "skipped":
                reasons[group][_reason(report)] += 1
    if FILE:
        Path(FILE).write_text(json.dumps([counts, reasons]))
        return
    terminalreporter.section("groups")
    for line in _table(counts, reasons):
        terminalreporter.line(line)


def main(files: list[str]) -> int:
    """Prints one table for all files; the exit status is 1 when a test failed, or a file is missing because its process died."""
    counts: Counts = defaultdict(Counter)
    reasons: Counts = defaultdict(Counter)
    missing = [file for file in files if not Path(file).exists()]
    for file in set(files) - set(missing):
        for total, part in zip((counts, reasons), json.loads(Path(file).read_text()), strict=True):
            for group, found in part.items():
                total[group].update(found)
    print("\n".join(["", *_table(counts, reasons)]))
    for file in missing:
        print(f"{Path(file).stem}: pytest ended without a result; see its output above")
    return 1 if missing or any(found["failed"] for found in counts.values()) else 0


def _table(counts: Counts, reasons: Counts) -> list[str]:
    lines = [f"{'':<10}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES)]
    for group in sorted(counts):
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons[group].items())
        lines.append(f"{group:<10}{''.join(f'{counts[group][outcome]:>9}' for outcome in OUTCOMES)}   {why}".rstrip())
    return lines


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("STRICT", "0") not in ("", "0"):
        report.longrepr = f"STRICT=1 allows no skips: {_reason(report)}"
        report.outcome = "failed"


def _group(nodeid: str) -> str:
    top, group, *_ = nodeid.split("/")
    return group if top == "tests" else "client"  # clients/python/tests


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    _, _, message = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
    return message.removeprefix("Skipped: ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

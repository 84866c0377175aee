"""A pytest plugin: at the end a table of the groups (the folders under tests/) says what was skipped and why; STRICT=1 forbids it."""

import os
from collections import Counter, defaultdict
from collections.abc import Generator

import pytest

OUTCOMES = ("passed", "failed", "skipped")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that is skipped."""
    report = yield
    _forbid_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outcome, category in [*zip(OUTCOMES, OUTCOMES, strict=True), ("failed", "error")]:
        for report in terminalreporter.stats.get(category, []):
            group = _group(report.nodeid)
            counts[group][outcome] += 1
            if outcome == "skipped":
                reasons[group][_reason(report)] += 1
    terminalreporter.section("groups")
    terminalreporter.line(f"{'':<10}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    for group in sorted(counts):
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons[group].items())
        terminalreporter.line(f"{group:<10}{''.join(f'{counts[group][outcome]:>9}' for outcome in OUTCOMES)}   {why}".rstrip())


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("STRICT", "0") not in ("", "0"):
        report.longrepr = f"STRICT=1 allows no skips: {_reason(report)}"
        report.outcome = "failed"


def _group(nodeid: str) -> str:
    return nodeid.split("/")[1]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    _, _, message = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
    return message.removeprefix("Skipped: ")

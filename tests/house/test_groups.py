"""The summary table of the test groups, and STRICT=1, on a small example suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    tests = {
        "tests/unit/test_a.py": "def test_good(): pass\ndef test_bad(): assert False\n",
        "tests/data/test_b.py": "import pytest\ndef test_good(): pass\n@pytest.fixture\ndef photos(): pytest.skip('no photos')\n"
        "def test_c(photos): pass\ndef test_d(photos): pass\n",
        "tests/browser/test_e.py": "import pytest\npytest.skip('no browser', allow_module_level=True)\n",
    }
    for name, text in tests.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def pytest_in(suite: Path, *arguments: str, **environment: str) -> list[str]:
    """Runs pytest in the suite and returns its output lines."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.groups", "-p", "no:cacheprovider", f"--rootdir={suite}", *arguments]
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, cwd=suite, env=variables, capture_output=True, text=True, check=False).stdout.splitlines()


def run(suite: Path, *arguments: str, strict: str) -> tuple[list[list[str]], str]:
    """The words of each row of the table, and the last line of the output."""
    lines = pytest_in(suite, *arguments, "tests", STRICT=strict)
    start = next(number for number, line in enumerate(lines) if " groups " in line)
    table = [line.split(maxsplit=4) for line in lines[start + 2 : start + 5]]
    return table, lines[-1]


def test_the_table_counts_each_group_and_says_why_tests_were_skipped(suite: Path) -> None:
    table, last = run(suite, strict="0")
    assert table == [
        ["browser", "0", "0", "1", "no browser (1)"],
        ["data", "1", "0", "2", "no photos (2)"],
        ["unit", "1", "1", "0"],
    ]
    assert "1 failed, 2 passed, 3 skipped" in last


def test_worker_processes_change_nothing_in_the_table(suite: Path) -> None:
    assert run(suite, "--numprocesses=2", strict="0")[0] == run(suite, strict="0")[0]


def test_one_table_for_several_processes(suite: Path) -> None:
    for group in ("data", "unit"):
        pytest_in(suite, f"tests/{group}", STRICT="0", GROUPS_FILE=str(suite / group))
    files = [suite / group for group in ("unit", "data", "died")]
    ended = subprocess.run([sys.executable, "-m", "tests.support.groups", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert [line.split(maxsplit=4) for line in ended.stdout.splitlines()[2:4]] == [
        ["data", "1", "0", "2", "no photos (2)"],
        ["unit", "1", "1", "0"],
    ]
    assert "died: pytest ended without a result" in ended.stdout
    assert ended.returncode == 1
    (suite / "unit").unlink()
    assert subprocess.run([*ended.args[:3], suite / "data"], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_strict_turns_each_skip_into_a_failure(suite: Path) -> None:
    (suite / "tests/browser/test_e.py").unlink()
    table, last = run(suite, strict="1")
    assert table[:2] == [["data", "1", "2", "0"], ["unit", "1", "1", "0"]]
    assert "skipped" not in last


def test_strict_does_not_overlook_a_skipped_file(suite: Path) -> None:
    table, _ = run(suite, strict="1")
    assert table[0] == ["browser", "0", "1", "0"]

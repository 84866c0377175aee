"""Tracked files work on any machine: no package registry hosts, no machine-specific paths, nothing large."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 16_000_000  # bytes

# The brackets keep the patterns from matching themselves.
REGISTRIES = "py[p]i[.]org|python[h]osted|npm[j]s[.]org|deb[.]deb[i]an|proxy[.]gol[a]ng"
MACHINES = "/(ro[o]t|wo[r]k|ho[m]e)/[A-Za-z0-9._-]+|/op[t]/(wheels|py)"


def git(*arguments: str) -> str:
    """Output of git, which also covers untracked files that are not ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINES], ids=["registries", "machines"])
def test_no_file_names(pattern: str) -> None:
    assert git("grep", "--untracked", "-nIE", pattern) == ""


def test_the_search_finds_what_there_is() -> None:
    assert "Makefile" in git("grep", "--untracked", "-nIE", "download[.]py[t]orch[.]org")


def test_no_file_is_large() -> None:
    files = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").rstrip("\0").split("\0")
    assert [file for file in files if (ROOT / file).is_file() and (ROOT / file).stat().st_size > LARGEST] == []

"""What is tracked holds for everyone: no hosts of package registries, no paths of somebody's machine, nothing large."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 16_000_000  # bytes

# The brackets keep the patterns from finding themselves.
REGISTRIES = "py[p]i[.]org|python[h]osted|npm[j]s[.]org|deb[.]deb[i]an|proxy[.]gol[a]ng"
MACHINES = "/(ro[o]t|wo[r]k|ho[m]e)/[A-Za-z0-9._-]+|/op[t]/(wheels|py)"


def git(*arguments: str) -> str:
    """What git says; files that are not tracked yet, and are not ignored, are meant too."""
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

"""The page's own tools: npm and what it installs, and a Chromium."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UI = ROOT / "ui"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 280


def npm_or_skip() -> None:
    """Installs the page's packages as locked, once; skips where there is no npm."""
    if not shutil.which("npm"):
        pytest.skip("npm was not found")
    run("make", "--no-print-directory", "ui/node_modules/.installed", cwd=ROOT)


def chromium_or_skip() -> str:
    """Path of a Chromium."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no browser was found: {', '.join(BROWSERS)}")


def run(*command: str, cwd: Path = UI, **environment: str) -> None:
    """Runs a command; when it fails, its output is the test's message."""
    ended = subprocess.run(
        command, cwd=cwd, env=os.environ | {"CI": "1"} | environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if ended.returncode:
        pytest.fail(f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}", pytrace=False)

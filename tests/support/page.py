"""The page's tools: npm with the packages it installs, and Chromium."""

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
    """Installs the page's locked packages once; skips the test where there is no npm."""
    if not shutil.which("npm"):
        pytest.skip("npm was not found")
    run("make", "--no-print-directory", "ui/node_modules/.installed", cwd=ROOT)


def chromium_or_skip() -> str:
    """Path of Chromium; skips the test where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no browser was found: {', '.join(BROWSERS)}")


def run(*command: str, cwd: Path = UI, **environment: str) -> None:
    """Runs a command; its output becomes the failure message of the test."""
    ended = subprocess.run(
        command, cwd=cwd, env=os.environ | {"CI": "1"} | environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if ended.returncode:
        pytest.fail(f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}", pytrace=False)

"""Takes the README's screenshots of the page: `make screenshots`. Not collected with the tests."""

from pathlib import Path

from tests.support.page import run
from tests.support.service import RunningService


def test_screenshots(chromium: str, service: RunningService, files: Path) -> None:
    run("npm", "run", "--silent", "screenshots", CHROMIUM=chromium, SERVICE_URL=service.url, PHOTOS=str(files))

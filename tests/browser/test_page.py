"""The page in a real browser, against the real service; the steps are in ui/e2e."""

from pathlib import Path

import pytest

from tests.support.page import UI, run
from tests.support.service import RunningService


@pytest.mark.parametrize("spec", sorted(path.stem for path in (UI / "e2e").glob("*.spec.ts")))
def test_playwright(spec: str, chromium: str, service: RunningService, files: Path) -> None:
    run("npx", "playwright", "test", f"{spec}.ts", CHROMIUM=chromium, SERVICE_URL=service.url, PHOTOS=str(files))

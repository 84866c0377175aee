"""The page's own checks: style, types, unit tests, and the size of the initial load."""

import pytest

from tests.support.page import ROOT, npm_or_skip, run


@pytest.fixture(scope="module", autouse=True)
def _npm() -> None:
    npm_or_skip()


@pytest.mark.parametrize("script", ["lint", "typecheck", "test"])
def test_npm_run(script: str) -> None:
    run("npm", "run", "--silent", script)


def test_it_builds_within_its_budget() -> None:
    run("make", "--no-print-directory", "page", cwd=ROOT)

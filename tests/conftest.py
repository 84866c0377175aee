"""Shared by all tests: a clean environment, the research photos, and the table of test groups (`support.groups`)."""

import os
import sys
from pathlib import Path

import pytest

from serve_app.settings import Settings
from tests.support.research_photos import MissingPhotos, research_photos

pytest_plugins = ["tests.support.groups"]

# Set before ray and transformers are imported, which read them then; subprocesses inherit them.
os.environ |= {
    "HF_HUB_OFFLINE": "1",  # the hub's tests start their own hub
    "RAY_AUTH_MODE": "disabled",  # a token would be written to the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
}
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # the workers share the cores already
# Tests must not see a developer's own settings.
for name in Settings.model_fields:
    os.environ.pop(name.upper(), None)


OPENVINO_TESTS = Path(__file__).parent / "openvino"


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """OpenVINO and training in one process have crashed silently, so they are tested in separate ones (`make test`)."""
    if "openvino" in sys.modules and not item.path.is_relative_to(OPENVINO_TESTS) and not _told:
        _told.append(item.nodeid)
        pytest.fail("this test has loaded OpenVINO into its process: use tests.support.checkpoints.ON_TORCH")


_told: list[str] = []


@pytest.fixture(scope="session")
def gender_data() -> Path:
    """The folder with gender.tar's content: SPLIT/{male,female}/*.jpg and index.csv."""
    return _photos_or_skip("gender")


@pytest.fixture(scope="session")
def person_data() -> Path:
    """The folder with person.tar's content: SPLIT/*.jpg and SPLIT.json."""
    return _photos_or_skip("person")


@pytest.fixture(scope="session")
def malformed_data() -> Path:
    """The folder with malformed.tar's content: hostile and broken files, and index.csv."""
    return _photos_or_skip("malformed")


def _photos_or_skip(name: str) -> Path:
    try:
        return research_photos(name)
    except MissingPhotos as missing:
        pytest.skip(str(missing))

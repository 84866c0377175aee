"""What all tests share: quiet surroundings, the research photos, and the table of the groups at the end (`support.groups`)."""

import os
from pathlib import Path

import pytest

from serve_app.settings import Settings
from tests.support.research_photos import MissingPhotos, research_photos

pytest_plugins = ["tests.support.groups"]

# Before ray and transformers are imported, which read them then; what the tests start inherits them.
os.environ |= {
    "HF_HUB_OFFLINE": "1",  # the hub's own tests bring a hub
    "RAY_AUTH_MODE": "disabled",  # a token would be written to the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
}
# A developer's own settings are not what is tested.
for name in Settings.model_fields:
    os.environ.pop(name.upper(), None)


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

"""What the README names exists, under that name (tests/serve/test_readme_examples.py runs its examples)."""

import importlib.util
import re
from pathlib import Path

import pytest

from serve_app.codes import MEANINGS
from serve_app.commands.env_example import AWS
from serve_app.settings import Settings
from tune_training.__main__ import COMMANDS

# A setting of the tests, a file name, settings of Ray and of the trackers.
NOT_OURS = {"GENDER_DATA_DIR", "MODEL_CARD", "RAY_ADDRESS", "RAY_AUTH_MODE", "MLFLOW_TRACKING_URI", "WANDB_API_KEY"}

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def found(pattern: str, text: str = README) -> list[str]:
    """The distinct texts that the pattern's group matches."""
    return sorted(set(re.findall(pattern, text)))


def test_the_pages_first_commands_are_serve_predict_and_test() -> None:
    opening = README.partition("## ")[0]
    assert re.findall(r"^(make \w+|curl .*?)(?:\s{2}.*)?$", opening, re.MULTILINE) == [
        "make serve",
        "curl -F file=@photo.jpg localhost:8000/predict",
        "make test",
    ]


@pytest.mark.parametrize("name", found(r"\b([A-Z]+(?:_[A-Z]+)+)\b"))
def test_variables_exist(name: str) -> None:
    settings = {field.upper() for field in Settings.model_fields} | AWS.keys()
    variables = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
    assert name in settings | variables | NOT_OURS


@pytest.mark.parametrize("link", found(r"\]\((?!https?://)([^)#]+)\)"))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("module", found(r"python -m ([\w.]+)"))
def test_modules_can_be_run(module: str) -> None:
    assert importlib.util.find_spec(module)
    assert importlib.util.find_spec(f"{module}.__main__" if (ROOT / module).is_dir() else module)


def test_the_training_commands_exist() -> None:
    commands = found(r"python -m tune_training ([\w-]+)")
    assert commands
    assert set(commands) <= COMMANDS.keys()


def test_the_tour_names_what_is_there() -> None:
    (tour,) = re.findall(r"```\n(serve_app/.*?)```", README, re.DOTALL)
    for line in tour.splitlines():
        assert (ROOT / line.split()[0]).exists(), line


def test_the_table_of_codes_is_the_services() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", README, re.MULTILINE)
    assert {code: int(status) for code, status in table} == {str(code): meaning.status for code, meaning in MEANINGS.items()}


def test_only_what_the_service_calls_retryable_is_said_to_have_retry_after() -> None:
    assert [meaning.status for meaning in MEANINGS.values() if meaning.retry] == [429, 503]
    assert "On 429 and 503, wait as long as `Retry-After` says" in README


def test_the_limits_are_the_settings() -> None:
    settings = Settings(_env_file=None)
    mebibytes, megapixels = settings.max_image_bytes // 2**20, settings.max_image_pixels // 10**6
    assert f"at most {mebibytes} MiB and {megapixels} megapixels" in README
    assert f"of more than {settings.max_unreduced_pixels // 10**6} megapixels in other formats" in README
    assert f"more than {settings.max_image_aspect:.0f} times as long" in README
    assert f"a batch at most {settings.max_batch_files} photos" in README
    (formats,) = re.findall(r"Photos are (.*?) \(", README)
    assert set(re.split(", | OR ", formats.upper().replace("HEIC", "HEIF"))) == set(settings.image_formats) - {"MPO"}


def test_ci_runs_make_test() -> None:
    ci = ROOT / ".ci" / "run"
    assert ci.stat().st_mode & 0o111
    assert re.search(r"^make test\b", ci.read_text(), re.MULTILINE)

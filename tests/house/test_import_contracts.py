"""Each import contract in pyproject.toml holds, and a forbidden import in a copy of the packages breaks it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
FORBIDDEN = [
    ("serve_app/checkpoints/decision.py", "serve_app.vision.images", "serve_app imports downwards only"),
    ("serve_app/http/uploads.py", "PIL", "serve_app.http knows neither Ray nor models nor pixels"),
    ("serve_app/vision/people.py", "ray", "Models run without Ray and HTTP"),
    ("serve_app/settings.py", "tune_training", "serve_app does not know tune_training"),
    ("tune_training/commands.py", "serve_app.http.answers", "tune_training does not know the service"),
    ("tune_training/io/storage.py", "tune_training.commands", "tune_training imports downwards only"),
    ("serve_app/vision/images.py", "serve_app.vision.cropping", "No imports in a circle"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their contracts."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in ("serve_app", "tune_training"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200"}  # wide enough for one contract per line
    return subprocess.run([LINT_IMPORTS], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_all_contracts_hold(checkout: Path) -> None:
    linted = lint_imports(checkout)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(("file", "imported", "contract"), FORBIDDEN, ids=[contract for _, _, contract in FORBIDDEN])
def test_a_forbidden_import_breaks(checkout: Path, file: str, imported: str, contract: str) -> None:
    source = (checkout / file).read_text()
    (checkout / file).write_text(f"{source}\nimport {imported}\n")
    linted = lint_imports(checkout)
    (checkout / file).write_text(source)
    assert linted.returncode != 0
    assert f"{contract} BROKEN" in linted.stdout


def test_each_contract_is_tried() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["name"] for contract in contracts} == {contract for _, _, contract in FORBIDDEN}

"""checkov finds nothing in terraform/ but what was reviewed, and all that was reviewed is still there."""

import json
import os
import shutil
import subprocess

import pytest

from tests.infra.checkov_reviewed import REVIEWED
from tests.infra.manifests import ROOT
from tests.support.terraform import SOURCES

OPTIONS = ["--framework", "terraform", "--skip-path", "/tests/", "--skip-download", "--quiet", "--compact", "--output", "json"]


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    """Resources by check. checkov has an environment of its own, because it pins an old boto3."""
    checkov = shutil.which("checkov", path=f"{ROOT / '.venv-checkov' / 'bin'}:{os.environ['PATH']}")
    if not checkov:
        pytest.skip("checkov is not installed: make checkov")
    ended = subprocess.run([checkov, "--directory", str(SOURCES), *OPTIONS], cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(ended.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100
    resources: dict[str, set[str]] = {}
    for check in report["results"]["failed_checks"]:
        resources.setdefault(check["check_id"], set()).add(check["resource"])
    return resources


def test_each_finding_was_reviewed(found: dict[str, set[str]]) -> None:
    left = {check: resources for check, (_, resources) in REVIEWED.items()}
    assert {check: resources - left.get(check, set()) for check, resources in found.items() if resources - left.get(check, set())} == {}


def test_nothing_is_left_that_is_no_finding_any_more(found: dict[str, set[str]]) -> None:
    assert {check: gone for check, (_, resources) in REVIEWED.items() if (gone := resources - found.get(check, set()))} == {}


def test_each_review_has_its_reason() -> None:
    assert all(len(reason) > 15 or reason.startswith("as CKV") for reason, _ in REVIEWED.values())

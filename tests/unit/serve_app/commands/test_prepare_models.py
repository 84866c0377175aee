"""Models are prepared before the first start: `make setup` and images do it."""

from pathlib import Path

import pytest

from serve_app.commands import prepare_models
from serve_app.settings import get_settings


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_RUNTIME", "torch")  # the export itself: tests/openvino
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(prepare_models, "get_settings", get_settings.__wrapped__)


def test_both_embedded_models_are_prepared(capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare_models.main() == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "Prepared person-detector",
        "Prepared gender-classifier",
    ]


def test_one_that_cannot_be_had_is_said_and_the_other_one_is_prepared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETECTOR_URI", "no/such/folder")
    assert prepare_models.main() == 1
    printed = capsys.readouterr()
    assert "Prepared gender-classifier" in printed.out
    assert "no/such/folder" in printed.err

"""Settings come from the environment and `.env`; the original's names work."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from serve_app.settings import EMBEDDED_CLASSIFIER, Settings
from serve_app.vision.image_headers import SIGNATURES


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_originals_names_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MODEL_BUCKET": "my-models",
        "MODEL_PREFIX": "/vit/",
        "ALLOWED_ORIGINS": "https://a.example, https://b.example",
        "API_HOST": "0.0.0.0",
        "API_PORT": "9000",
        "DEBUG": "true",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.effective_classifier_uri == "s3://my-models/vit/"
    assert settings.allowed_origins == ["https://a.example", "https://b.example"]
    assert (settings.api_host, settings.api_port, settings.debug) == ("0.0.0.0", 9000, True)


@pytest.mark.parametrize(
    ("values", "uri"),
    [
        ({}, EMBEDDED_CLASSIFIER),
        ({"model_bucket": "b"}, "s3://b/"),
        ({"model_bucket": "b", "model_prefix": "p/q"}, "s3://b/p/q/"),
        ({"model_bucket": "b", "classifier_uri": "hf://org/vit"}, "hf://org/vit"),
    ],
)
def test_where_the_classifier_comes_from(values: dict[str, str], uri: str) -> None:
    assert Settings.model_validate(values).effective_classifier_uri == uri


def test_the_environment_beats_the_file_and_the_file_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("API_PORT=8001\nMAX_BATCH_FILES=4\nUNRELATED=1\n")
    monkeypatch.setenv("API_PORT", "8002")
    settings = Settings()
    assert (settings.api_port, settings.max_batch_files, settings.api_host) == (8002, 4, "127.0.0.1")


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "")
    assert Settings().model_bucket is None


@pytest.mark.parametrize(
    "values",
    [{"api_port": 70000}, {"device": "tpu"}, {"max_batch_files": 100}, {"max_image_bytes": 100_000_000}, {"request_deadline_s": 0}],
)
def test_values_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)


def test_every_accepted_format_can_be_told_by_its_first_bytes() -> None:
    assert set(Settings().image_formats) <= SIGNATURES.keys()

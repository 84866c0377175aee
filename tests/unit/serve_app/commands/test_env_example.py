"""`.env.example` names every setting, with its default, and can be used as it is."""

from pathlib import Path

from dotenv import dotenv_values

from serve_app.commands.env_example import AWS, render
from serve_app.settings import Settings

FILE = Path(__file__).parents[4] / ".env.example"


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text() == render(), "run `make env-example`"


def test_it_names_every_setting_once_and_says_nothing_else() -> None:
    named = [line[1:].partition("=")[0] for line in render().splitlines() if line.startswith("#") and not line.startswith("# ")]
    assert named == [name.upper() for name in Settings.model_fields] + list(AWS)


def test_copied_it_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(render())
    assert Settings(_env_file=tmp_path / ".env") == Settings(_env_file=None)


def test_its_values_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\n".join(line.removeprefix("#") for line in render().splitlines() if not line.startswith("# ")))
    assert dotenv_values(tmp_path / ".env")["API_PORT"] == "8000"
    taken, default = (Settings(_env_file=file) for file in (tmp_path / ".env", None))
    assert taken.model_copy(update={"detector_uri": str(Path(taken.detector_uri).absolute())}) == default

"""The Python client and its command against the running service, with the examples of its README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gender_client import AsyncClient, Code

from tests.support import photos
from tests.support.service import RunningService

CLIENT = Path(__file__).parents[2] / "clients" / "python"
README = (CLIENT / "README.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "a.jpg", "b.jpg", "photos/c.jpg", "photos/d.jpg"):
        (tmp_path / name).write_bytes(photos.cameraman())
    return tmp_path


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def output_of(command: list[str], folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(CLIENT / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_example_in_python(service: RunningService, folder: Path) -> None:
    (example,) = examples("python")
    output = output_of([sys.executable, "-c", example.replace("http://localhost:8000", service.url)], folder)
    assert re.match(r"(fe)?male\na\.jpg prediction='(fe)?male'.*\nb\.jpg prediction='(fe)?male'.*\n[01] prediction='(fe)?male'", output)


def test_the_examples_of_the_command(service: RunningService, folder: Path) -> None:
    commands = [line for block in examples("bash") for line in block.splitlines() if line.startswith("gender-ask")]
    asking = f"{sys.executable} -m gender_client --url {service.url}"
    outputs = [output_of(["sh", "-c", command.replace("gender-ask", asking, 1)], folder) for command in commands]
    assert "photo.jpg" in outputs[0]
    assert len((folder / "answers.csv").read_text().splitlines()) == 3


async def test_all_calls(service: RunningService) -> None:
    async with AsyncClient(service.url) as client:
        assert (await client.predict(photos.cat())).code is Code.NO_PERSON
        items = [item async for item in client.predict_batch([photos.cameraman(), b"no photo"])]
        assert [item.code for item in items] == [Code.OK, Code.NOT_AN_IMAGE]
        outcomes = {index: outcome async for index, outcome in client.stream([photos.cameraman(), photos.cat(), b"no photo"])}
        assert [getattr(outcomes[index], "code", None) for index in range(3)] == [Code.OK, Code.NO_PERSON, Code.NOT_AN_IMAGE]
        assert (explained := await client.predict(photos.cameraman(), explain=True)).explanation
        assert explained.explanation.label == explained.prediction
        assert (await client.health()).models.keys() == (await client.cards()).keys()

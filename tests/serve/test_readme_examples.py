"""The README's examples, run against the service."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support import photos
from tests.support.service import RunningService

README = (Path(__file__).parents[2] / "README.md").read_text()
ADDRESS = re.compile(r"(http://)?localhost:8000")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photos.cameraman())
    return tmp_path


def example(language: str, service: str) -> str:
    """The README's only block in a language, with the service's address."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return ADDRESS.sub(service, block)


def output_of(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120).stdout


def test_python(service: RunningService, folder: Path) -> None:
    assert re.fullmatch(r"(fe)?male 0\.\d+\n", output_of([sys.executable, "-c", example("python", service.url)], folder))


def test_javascript(service: RunningService, folder: Path) -> None:
    if not (node := shutil.which("node")):
        pytest.skip("node is not installed")
    (folder / "example.mjs").write_text(example("javascript", service.url))
    assert re.fullmatch(r"(fe)?male 0\.\d+\n", output_of([node, "example.mjs"], folder))


CURL = sorted(set(re.findall(r"^curl .*localhost:8000/\S+", README, re.MULTILINE)))


@pytest.mark.parametrize("command", [command for command in CURL if "localhost:8000/predict" in command])
def test_curl(service: RunningService, folder: Path, command: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    output = output_of(["sh", "-c", ADDRESS.sub(service.url, command)], folder)
    bodies = [json.loads(line) for line in output.splitlines()]  # of a stream there are several
    answers = [answer for body in bodies for answer in body.get("results", [body])]
    assert {answer["code"] for answer in answers} == {"ok"}


@pytest.mark.parametrize("command", [command for command in CURL if "localhost:8000/model" in command])
def test_curl_of_the_models_cards(service: RunningService, folder: Path, command: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    output = output_of(["sh", "-c", ADDRESS.sub(service.url, command)], folder)
    assert output.startswith("# Gender presentation classifier") or json.loads(output).keys() == {"detector", "classifier"}


def test_the_answer_shown_has_the_keys_of_an_answer(service: RunningService) -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    answer = httpx.post(f"{service.url}/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"}, timeout=60)
    assert json.loads(shown).keys() == answer.json().keys()

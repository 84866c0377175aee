"""The smoke test, against a service on a real port."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from serve_app.codes import Code
from serve_app.commands import smoke
from serve_app.commands.smoke import CHECKS, main
from serve_app.graph.messages import GraphOutcome
from serve_app.http.app import create_app
from serve_app.question import ORIGINAL, Question
from tests.support.http import FakeService, settings

ROOT = Path(__file__).parents[4]


class SmallService(FakeService):
    """Finds nobody in PNGs, and rejects the text file as not an image."""

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        if image.startswith(b"\x89PNG"):
            return GraphOutcome(Code.NO_PERSON)
        if image.startswith(b"This"):
            return GraphOutcome(Code.NOT_AN_IMAGE)
        return await super().predict(image, request_id, question)


@contextmanager
def running(service: FakeService, prefix: str = "") -> Iterator[str]:
    """The address of the service on a free port. The socket listens before the server runs, so no wait is needed."""
    app = Starlette(routes=[Mount(prefix, create_app(service, settings()))])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class SleepingService(SmallService):
    """Is overloaded until the third photo, like models scaled to zero."""

    asked = 0

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        self.asked += 1
        return GraphOutcome(Code.OVERLOADED) if self.asked < 3 else await super().predict(image, request_id, question)


def lines(output: str) -> dict[str, str]:
    """PASS or FAIL by check."""
    return {line[6:].split("  ")[0]: line[:4] for line in output.splitlines() if line[:4] in ("PASS", "FAIL")}


def test_a_good_service_passes(capsys: pytest.CaptureFixture[str]) -> None:
    with running(SmallService()) as url:
        assert main([f"{url}/"]) == 0
    output = capsys.readouterr().out
    assert lines(output) == dict.fromkeys(CHECKS, "PASS")
    assert f"{len(CHECKS)} of {len(CHECKS)} passed" in output


def test_photos_are_shown_with_their_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "grüße.jpg").write_bytes(b"a man")
    (tmp_path / 'broken "1".jpg').write_bytes(b"corrupt_image")
    with running(SmallService()) as url:
        assert main([url, str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert lines(output) == dict.fromkeys(CHECKS, "PASS") | {"grüße.jpg": "PASS", 'broken "1".jpg': "FAIL"}
    assert "ok  male  0.892" in output
    assert "HTTP 422" in output


def test_a_service_without_models_fails(capsys: pytest.CaptureFixture[str]) -> None:
    service = SmallService()
    service.classifier = None
    with running(service) as url:
        assert main([url]) == 1
    assert lines(capsys.readouterr().out) == dict.fromkeys(CHECKS, "PASS") | {"GET /health": "FAIL"}


def test_a_service_that_sees_people_everywhere_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with running(FakeService()) as url:
        assert main([url]) == 1
    failed = {name for name, outcome in lines(capsys.readouterr().out).items() if outcome == "FAIL"}
    assert failed == {name for name in CHECKS if "POST" in name and "11 files" not in name}


def test_no_service_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert main([url]) == 1
    assert set(lines(capsys.readouterr().out).values()) == {"FAIL"}


def test_models_that_sleep_are_woken_first(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "TRY_AGAIN_S", 0.0)
    with running(SleepingService()) as url:
        assert main([url]) == 1
    with running(SleepingService()) as url:
        assert main(["--wait", "60", url]) == 0
    assert "PASS  POST /predict, a drawn image" in capsys.readouterr().out


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "TRY_AGAIN_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["--wait", "0.01", f"http://127.0.0.1:{port}"]) == 1


def test_an_address_needs_no_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    with running(SmallService()) as url:
        assert main([url.removeprefix("http://")]) == 0
    assert lines(capsys.readouterr().out) == dict.fromkeys(CHECKS, "PASS")


@pytest.mark.parametrize("url", ["ftp://localhost", "http://", "http://localhost:eight", "http://a b", ""])
def test_what_is_no_address_is_refused_in_words(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([url])
    assert "is no address of a service" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing", "does not exist"), ("photo.jpg", "is a file"), ("empty", "has no file"), ("nested", "has no file, but other folders")],
)
def test_a_folder_without_photos_is_refused_in_words(name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested" / "inside").mkdir(parents=True)
    with pytest.raises(SystemExit, match="2"):
        main(["http://localhost", str(tmp_path / name)])
    assert words in capsys.readouterr().err


def test_folders_within_the_folder_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"a man")
    (tmp_path / "others").mkdir()
    with running(SmallService()) as url:
        assert main([url, str(tmp_path)]) == 0
    assert "Not sent: the files in the folders others" in capsys.readouterr().out


def test_make_passes_names_with_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "my photo's folder"
    folder.mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    command = ["make", "-f", str(ROOT / "Makefile"), "--assume-old=setup", "smoke", f"PHOTOS={folder}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert f"the folder of photos, {folder}, has no file" in done.stderr

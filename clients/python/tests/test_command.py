"""gender-ask: what it writes, how it goes on, and its exit statuses."""

import csv
import json
import re
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from gender_client import __main__ as command
from gender_client.__main__ import main
from gender_client.streams import NDJSON
from gender_client.table import COLUMNS, NOT_ASKED

ANSWER: dict[str, Any] = {
    "prediction": "male",
    "confidence": 0.9,
    "person_count": 1,
    "probabilities": {"female": 0.1, "male": 0.9},
    "error": None,
    "code": "ok",
    "people": [],
    "request_id": "r1",
    "model": None,
}
HEALTH = {"status": "healthy", "version": "1", "models": {}, "faults": {}} | dict.fromkeys(
    ["model_loaded", "processor_loaded", "detector_loaded"], True
)
PERSON = {"box": [0.1, 0.1, 0.5, 0.9], "score": 0.9}
ANSWERED = PERSON | {"code": "ok", "prediction": "male", "confidence": 0.9, "probabilities": {"female": 0.1, "male": 0.9}, "error": None}


class Service:
    """Answers streams of photos; remembers what it is asked about.

    Attributes:
        faults: codes of photos.
        refuses: the status and code with which all is refused.
        down: nothing answers.
        people: of each photo, where each person is asked for.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.requests: list[str] = []
        self.faults: dict[bytes, str] = {}
        self.refuses: tuple[int, str] | None = None
        self.down = False
        self.people: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("refused")
        if request.url.path == "/health":
            return httpx.Response(200, json=HEALTH)
        if self.refuses:
            status, code = self.refuses
            return httpx.Response(status, json={"error": code, "detail": code, "code": code, "request_id": "r1"})
        head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + request.content)
        photos = [part.get_payload(decode=True) for part in form.get_payload() if isinstance(part, Message)]
        self.asked += photos  # type: ignore[arg-type] # of bytes
        each = {"people": self.people, "person_count": len(self.people)} if "people=each" in str(request.url) else {}
        lines = [self._line(photo) | each | {"index": index, "filename": "x"} for index, photo in enumerate(photos)]  # type: ignore[arg-type]
        return httpx.Response(200, text="".join(f"{json.dumps(line)}\n" for line in lines), headers={"content-type": NDJSON})

    def _line(self, photo: bytes) -> dict[str, Any]:
        code = self.faults.get(photo)
        return ANSWER | {"code": code, "error": code, "prediction": None} if code else ANSWER


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.PNG", "more/c.heic", "notes.txt"):
        (folder / name).write_bytes(name.encode())
    return folder


def run(service: Service, *arguments: object) -> int:
    return main([*map(str, arguments)], transport=httpx.MockTransport(service))


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_table_of_a_photo(service: Service, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(service, folder / "a.jpg") == 0
    assert "male" in capsys.readouterr().out


def test_a_folder_as_csv(service: Service, folder: Path, tmp_path: Path) -> None:
    assert run(service, folder, "--format", "csv", "--output", tmp_path / "answers.csv") == 0
    found = rows(tmp_path / "answers.csv")
    assert [Path(each["file"]).name for each in found] == ["a.jpg", "b.PNG", "c.heic"]
    assert (found[0]["prediction"], found[0]["male"], found[0]["code"]) == ("male", "0.9", "ok")


def test_a_folder_as_lines_of_json(service: Service, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(service, folder, "--format", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["confidence"] for line in lines] == [0.9] * 3
    assert all(line.keys() == set(COLUMNS) for line in lines)


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("keep", [0, 3, 0.4, 0.9, 1.0])
def test_a_table_that_was_cut_off_is_gone_on_with(service: Service, folder: Path, tmp_path: Path, kind: str, keep: float) -> None:
    output = tmp_path / "answers"
    (folder / "line\nbreak, and comma.jpg").write_bytes(b"d")
    run(service, folder, "--format", kind, "--output", output)
    whole = output.read_bytes()
    output.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    service.asked.clear()
    assert run(service, folder, "--format", kind, "--output", output) == 0
    assert sorted(output.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert (len(service.asked) == 4) == (keep in (0, 3))
    assert (service.asked == []) == (keep == 1.0)


@pytest.mark.parametrize("text", ["name,size\na,1\n", '{"name": "a"}\n', "dear diary\n", "dear diary", "{}"])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_another_file_is_left_alone(service: Service, folder: Path, tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "mine").write_text(text)
    assert run(service, folder, "--format", kind, "--output", tmp_path / "mine") == 2
    assert (tmp_path / "mine").read_text() == text


def test_a_file_that_is_no_photo_has_a_row(service: Service, folder: Path, tmp_path: Path) -> None:
    service.faults[b"a.jpg"] = "not_an_image"
    command = (folder, "--format", "csv", "--output", tmp_path / "answers.csv")
    assert run(service, *command) == 1
    assert [each["code"] for each in rows(tmp_path / "answers.csv")] == ["not_an_image", "ok", "ok"]
    service.asked.clear()
    assert run(service, *command) == 1  # the status is about all files, whichever run has asked about them
    assert service.asked == []


def test_what_the_service_failed_on_has_none_and_is_asked_about_again(
    service: Service, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.faults[b"a.jpg"] = "internal"
    command = (folder, "--format", "csv", "--output", tmp_path / "answers.csv")
    assert run(service, *command) == 3
    assert "internal" in capsys.readouterr().err
    service.faults.clear()
    service.asked.clear()
    assert run(service, *command) == 0
    assert service.asked == [b"a.jpg"]
    assert sorted(Path(each["file"]).name for each in rows(tmp_path / "answers.csv")) == ["a.jpg", "b.PNG", "c.heic"]


def test_without_a_key_it_stops_at_once(service: Service, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    service.refuses = (401, "unauthorized")
    assert run(service, tmp_path, "--parallel", "1") == 3
    assert len(service.requests) < 4


@pytest.mark.parametrize("output", [[], ["--format", "csv", "--output", "OUTPUT"]])
def test_a_service_that_is_down_is_told_once_and_at_once(
    service: Service, folder: Path, tmp_path: Path, output: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "REACH_S", 0.5)
    service.down = True
    assert run(service, folder, *[tmp_path / "answers.csv" if each == "OUTPUT" else each for each in output]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert " ".join(told.err.split()) == "The service at http://localhost:8000 cannot be reached: refused"
    assert not (tmp_path / "answers.csv").exists()


def test_a_service_that_goes_is_told_once(service: Service, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Going(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            self.down = request.url.path != "/health"
            return super().__call__(request)

    assert run(Going(), folder, "--deadline", "0.5") == 3
    told = capsys.readouterr()
    assert (told.out, told.err.count("refused")) == ("", 1)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_each_person_has_a_row(service: Service, folder: Path, tmp_path: Path, kind: str) -> None:
    service.people = [ANSWERED, ANSWERED | {"code": "unsure", "prediction": None, "confidence": 0.0, "error": "unsure"}, PERSON]
    output = tmp_path / "answers"
    command = (folder / "a.jpg", "--each", "--format", kind, "--output", output)
    assert run(service, *command) == 0
    whole = output.read_text()
    if kind == "csv":
        assert [(each["person"], each["code"], each["prediction"], each["person_count"]) for each in rows(output)] == [
            ("1", "ok", "male", "3"),
            ("2", "unsure", "", "3"),
            ("3", "", "", "3"),
        ]
        assert rows(output)[2]["error"] == NOT_ASKED
    output.write_text(whole[: whole.rstrip("\n").rfind("\n") + 1])  # without the third
    for asked in (2, 2):
        assert run(service, *command) == 0
        assert output.read_text() == whole
        assert len(service.asked) == asked


def test_a_table_of_each_person(service: Service, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service.people = [ANSWERED, ANSWERED]
    assert run(service, folder / "a.jpg", "--each") == 0
    assert "2 of 2" in capsys.readouterr().out


def test_interrupted(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gender_client.table.Writer.write", interrupt)
    assert run(service, folder) == 130


@pytest.mark.parametrize("arguments", [["none.jpg"], ["EMPTY"]])
def test_nothing_to_ask_about(service: Service, tmp_path: Path, arguments: list[str]) -> None:
    assert run(service, *[tmp_path if each == "EMPTY" else each for each in arguments]) == 2


@pytest.mark.parametrize("arguments", [[], ["a.jpg", "--output", "x.csv"], ["a.jpg", "--parallel", "0"], ["a.jpg", "--format", "xml"]])
def test_wrong_arguments(service: Service, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(service, *arguments)
    assert ended.value.code == 2


def test_the_readme_names_each_exit_status() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    statuses = {value for name, value in vars(command).items() if name.isupper() and isinstance(value, int)}
    assert {int(status) for status in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)} == statuses

"""What deploy.sh computes: outputs, plans, a token, and the answers of two addresses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cloud import web
from cloud.__main__ import main


@pytest.fixture
def url() -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = {"/ip": (200, b"203.0.113.7\n"), "/asleep": (503, b'{"status": "unavailable"}')}.get(self.path, (200, b"<html>"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("outputs", "value"), [({"a": {"value": "x"}}, "x"), ({"a": {"value": None}}, ""), ({}, ""), ({"a": {"value": 3}}, "3")]
)
def test_an_output_is_read(outputs: object, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    assert main(["output", str(tmp_path / "outputs.json"), "a"]) == 0
    assert capsys.readouterr().out == f"{value}\n"


def test_what_a_plan_deletes_or_replaces_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actions = {"a.kept": ["no-op"], "a.changed": ["update"], "a.replaced": ["delete", "create"], "a.gone": ["delete"]}
    plan = {"resource_changes": [{"address": address, "change": {"actions": each}} for address, each in actions.items()]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert main(["deleted", str(tmp_path / "plan.json")]) == 0
    assert capsys.readouterr().out == "  a.replaced\n  a.gone\n"


def test_tokens_are_long_and_each_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    main(["token"])
    main(["token"])
    first, second = capsys.readouterr().out.split()
    assert len(first) == len(second) == 64
    assert first != second


def test_an_error_status_is_an_answer_and_a_dead_address_none(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", f"{url}/asleep"]) == 0
    assert capsys.readouterr().out == 'HTTP 503 {"status": "unavailable"}\n'
    assert main(["health", "http://127.0.0.1:9"]) == 1
    assert "error: " in capsys.readouterr().err


def test_only_an_address_is_taken_for_ones_own(url: str) -> None:
    assert web.own_address(f"{url}/ip") == "203.0.113.7"
    with pytest.raises(ValueError, match="does not appear"):
        web.own_address(f"{url}/proxy")

"""The program that prints the pods' log files and sends them to CloudWatch."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from moto import mock_aws

from serve_app.commands import follow_logs
from serve_app.commands.follow_logs import CloudWatch, Follower, follow

GROUP = "/photos/pods"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch Logs with one group."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1")
        client.create_log_group(logGroupName=GROUP)
        yield client


def sent(logs: Any, stream: str = "pod") -> list[str]:
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
    return [event["message"] for event in events]


def test_only_whole_lines_of_old_and_new_files_come_once(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path / "*" / "*.log"))
    assert follower.lines() == []
    (tmp_path / "serve").mkdir()
    first, second = tmp_path / "serve" / "a.log", tmp_path / "serve" / "b.log"
    first.write_text("one\ntw")
    assert follower.lines() == ["one"]
    first.write_text("one\ntwo\n")
    second.write_text("three\n\n")
    assert follower.lines() == ["two", "three"]
    assert follower.lines() == []


def test_a_rotated_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("a line of some length\n")
    follower = Follower(str(tmp_path / "*.log"))
    follower.lines()
    log.rename(tmp_path / "a.log.1")
    log.write_text("the next line, which is even longer than that\n")
    assert follower.lines() == ["the next line, which is even longer than that"]
    log.write_text("cut\n")
    assert follower.lines() == ["cut"]


def test_lines_reach_the_stream_in_order_and_in_batches_that_cloudwatch_takes(logs: Any) -> None:
    cloud = CloudWatch(logs, GROUP, "pod")
    lines = [f"{number} {'x' * 100_000}" for number in range(25)]
    cloud.send(lines)
    cloud.send(["the last"])
    assert sent(logs) == [*lines, "the last"]


def test_a_program_that_starts_again_goes_on_in_the_same_stream(logs: Any) -> None:
    CloudWatch(logs, GROUP, "pod").send(["before"])
    CloudWatch(logs, GROUP, "pod").send(["after"])
    assert sent(logs) == ["before", "after"]


def test_lines_wait_while_cloudwatch_refuses_them(logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = CloudWatch(logs, "/not/yet", "pod")
    cloud.send(["first"])
    assert "1 lines wait for CloudWatch" in capsys.readouterr().err
    logs.create_log_group(logGroupName="/not/yet")
    cloud.send(["second"])
    assert [each["message"] for each in logs.get_log_events(logGroupName="/not/yet", logStreamName="pod")["events"]] == ["first", "second"]


def test_what_was_written_before_the_end_is_sent(
    tmp_path: Path, logs: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_logs, "PAUSE_S", 0)
    (tmp_path / "a.log").write_text('{"code": "ok"}\n')
    stop = Event()
    stop.set()
    follow(str(tmp_path / "*.log"), CloudWatch(logs, GROUP, "pod"), stop)
    assert capsys.readouterr().out == '{"code": "ok"}\n'
    assert sent(logs) == ['{"code": "ok"}']


def test_it_ends_when_the_pod_does(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\n")
    process = subprocess.Popen([sys.executable, "-m", "serve_app.commands.follow_logs", str(log)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 0

"""What the driver does when Ray or Serve does not start."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import psutil
import pytest
import ray
import ray.serve.scripts
from ray.exceptions import ActorDiedError, RayTaskError

from serve_app.supervisor import driver

Start = Callable[..., int]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Start:
    """Runs the driver where Serve, or Ray, fails with these errors in turn."""

    def run(*of_serve: BaseException, of_ray: Sequence[Exception] = (), address: str | None = None) -> int:
        errors, of_head = iter(of_serve), iter(of_ray)

        def head() -> Callable[[], str]:
            if error := next(of_head, None):
                raise error
            return lambda: pytest.fail("nobody has asked for the dashboard")

        def serve(*_: object, **__: object) -> NoReturn:
            raise next(errors, SystemExit())  # `serve run` ends that way

        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if address:
            monkeypatch.setenv("RAY_ADDRESS", address)
        monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])  # this process has others
        monkeypatch.setattr(driver, "leave_out_pandas", lambda: None)  # other tests need it
        if not address:
            monkeypatch.setattr(driver, "start_head", head)
        monkeypatch.setattr(driver, "DashboardDoor", lambda _: SimpleNamespace(address="127.0.0.1:8266"))
        monkeypatch.setattr(ray, "init", lambda **_: SimpleNamespace(dashboard_url="127.0.0.1:8265"))
        monkeypatch.setattr(ray.serve.scripts, "cli", serve)
        monkeypatch.setattr(sys, "argv", ["driver", "serve_config.yaml", str(folder)])
        return driver.main()

    return run


TIMED_OUT = RuntimeError("The current node timed out during startup.\nAnd more.")


def test_when_ray_does_not_start_it_is_tried_again(start: Start) -> None:
    with pytest.raises(SystemExit):
        start(of_ray=[TIMED_OUT])


def test_a_start_of_ray_that_fails_again_is_one_line(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(of_ray=[TIMED_OUT, TIMED_OUT]) == 1
    again, line = capsys.readouterr().err.splitlines()
    assert again == "Ray did not start: trying again"
    assert line.endswith("If the machine was busy, try again. RuntimeError: The current node timed out during startup.")


def test_the_cause_of_an_error_elsewhere_is_named_and_not_its_traceback(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    error = RayTaskError("ready", "Traceback (most recent call last):\n...", ValueError("no HAProxy"))
    assert start(error, error, error) == 1
    assert capsys.readouterr().err.endswith("ValueError: no HAProxy\n")


def test_when_serve_does_not_start_it_is_tried_again(start: Start) -> None:
    with pytest.raises(SystemExit):
        start(ActorDiedError(), ActorDiedError())


def test_the_dashboards_address_is_kept_for_the_message(start: Start, folder: Path) -> None:
    assert driver.dashboard(folder) == "none"
    with pytest.raises(SystemExit):
        start()
    assert driver.dashboard(folder) == "http://127.0.0.1:8266"


def test_of_a_cluster_that_it_joins_the_dashboard_is_known_at_once(start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "start_head", lambda: pytest.fail("it starts no Ray"))
    with pytest.raises(SystemExit):
        start(address="127.0.0.1:6379")
    assert driver.dashboard(folder) == "http://127.0.0.1:8265"


def test_asked_to_stop_before_serve_has_started_it_stops(start: Start) -> None:
    assert start(KeyboardInterrupt()) == 130

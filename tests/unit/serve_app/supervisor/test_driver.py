"""What the driver does when Ray or Serve does not start."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
import ray
import ray.serve.scripts
from ray.exceptions import ActorDiedError, RayTaskError

from serve_app.supervisor import driver

Start = Callable[..., int]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Start:
    """Runs the driver where Serve, or Ray, fails with these errors in turn."""

    def run(*of_serve: BaseException, of_ray: Exception | None = None) -> int:
        errors = iter(of_serve)

        def init(**_: object) -> SimpleNamespace:
            if of_ray:
                raise of_ray
            return SimpleNamespace(dashboard_url="127.0.0.1:8266")

        def serve(*_: object, **__: object) -> NoReturn:
            raise next(errors, SystemExit())  # `serve run` ends that way

        monkeypatch.setattr(ray, "init", init)
        monkeypatch.setattr(ray.serve.scripts, "cli", serve)
        monkeypatch.setattr(sys, "argv", ["driver", "serve_config.yaml", str(folder)])
        return driver.main()

    return run


def test_a_start_of_ray_that_fails_is_one_line(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(of_ray=RuntimeError("The current node timed out during startup.\nAnd more.")) == 1
    (line,) = capsys.readouterr().err.splitlines()
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


def test_asked_to_stop_before_serve_has_started_it_stops(start: Start) -> None:
    assert start(KeyboardInterrupt()) == 130

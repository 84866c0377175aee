"""What Ray's processes are told: the same everywhere, but for what another service on the same machine would collide with."""

import sys
from pathlib import Path

import pytest
import ray.serve._private.constants as serve_constants

from serve_app.graph.environment import EVERYWHERE, IN_PODS, on_this_machine


def test_two_services_on_one_machine_have_ports_of_their_own() -> None:
    one, other = ({name: value for name, value in on_this_machine().items() if name.endswith("_PORT")} for _ in range(2))
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_pods_have_all_that_is_for_everywhere_and_the_usual_ports() -> None:
    assert EVERYWHERE.items() <= IN_PODS.items()
    assert not [name for name in IN_PODS if name.endswith("_PORT")]


def test_where_there_is_no_haproxy_it_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert on_this_machine() == EVERYWHERE


@pytest.mark.parametrize("name", sorted(name for name in {**IN_PODS, **on_this_machine()} if name.startswith("RAY_SERVE_")))
def test_serve_still_reads_it(name: str) -> None:
    assert name in Path(serve_constants.__file__).read_text()

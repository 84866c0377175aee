"""RAY_ADDRESS of a cluster that cannot be joined is named at once."""

import socket

import pytest

from serve_app.graph.ray_internals import free_port
from serve_app.ray_address import problem_with, ray_address


@pytest.mark.parametrize(
    ("value", "address"), [(None, None), ("", None), ("local", None), ("auto", "auto"), ("10.0.0.1:6379", "10.0.0.1:6379")]
)
def test_what_starts_ray_here(value: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if value is not None:
        monkeypatch.setenv("RAY_ADDRESS", value)
    assert ray_address() == address


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_can_be_reached_is_joined(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        assert problem_with(f"{scheme}127.0.0.1:{cluster.getsockname()[1]}") is None


def test_a_cluster_that_is_gone_is_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert f"no Ray cluster at RAY_ADDRESS={address}" in (problem_with(address) or "")


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "https://ray.example.com"])
def test_a_dashboards_address_is_explained(address: str) -> None:
    problem = problem_with(address) or ""
    assert f"RAY_ADDRESS={address} is a dashboard's address" in problem
    assert "Unset RAY_ADDRESS" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("address", ["somewhere", "host:port", ":6379", "[::1:6379", "host:99999"])
def test_what_is_no_address_is_named(address: str) -> None:
    assert f"RAY_ADDRESS={address} is no HOST:PORT" in (problem_with(address) or "")

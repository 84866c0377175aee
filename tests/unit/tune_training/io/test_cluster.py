"""The cluster that training runs on."""

import pytest

from serve_app.graph.ray_internals import free_port
from tune_training.io.cluster import ray_cluster
from tune_training.io.errors import InputError


def test_a_cluster_that_is_gone_is_named_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match="there is no Ray cluster at RAY_ADDRESS=127.0.0.1:"), ray_cluster():
        pass

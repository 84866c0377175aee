"""What Ray's logs get to know of a search."""

import pytest
from ray.tune.execution import class_cache

from tune_training.tune.experiment import keep_keys_out_of_logs


def test_keys_are_in_no_runtime_environment_which_ray_writes_to_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "AWS_SECRET_ACCESS_KEY" in class_cache.ENV_VARS_TO_PROPAGATE
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", set(class_cache.ENV_VARS_TO_PROPAGATE))
    keep_keys_out_of_logs()
    assert class_cache.ENV_VARS_TO_PROPAGATE
    assert not [name for name in class_cache.ENV_VARS_TO_PROPAGATE if "KEY" in name or "TOKEN" in name]

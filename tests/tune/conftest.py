"""One Ray cluster and one S3 server for all searches; workers inherit the environment that points to the server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from serve_app.settings import get_settings
from tests.support.mlflow_server import mlflow_server
from tests.support.s3 import S3Server, s3_server
from tests.support.tuning import TinySearch
from tune_training.tune.result import TuneResult
from tune_training.tune.search import tune
from tune_training.tune.tracker import Tracker

CPUS = len(os.sched_getaffinity(0)) + 1


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server, and an empty model cache that needs no exports."""
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as server:
        patch.setenv("MODEL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MODEL_RUNTIME", "torch")  # the export of a model takes longer than what is asked of it here
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


@pytest.fixture(scope="package")
def cluster(store: S3Server) -> Iterator[S3Server]:
    """A Ray cluster with one CPU more than a command would start; yields the S3 server that its workers use."""
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    yield store
    ray.shutdown()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinySearch:
    """The files of a search."""
    return TinySearch(tmp_path_factory.mktemp("tiny")).write()


@pytest.fixture(scope="package")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's own server, which the environment names."""
    with pytest.MonkeyPatch.context() as patch, mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
        yield address


@pytest.fixture(scope="package")
def searched(cluster: S3Server, tracker: str, tiny: TinySearch, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuneResult]:
    """The folder and result of a finished search on half of the photos, of which MLflow was told."""
    folder = tmp_path_factory.mktemp("searched")
    return folder, tune(tiny.manifest, str(folder), tiny.options(subset=20, tracker=Tracker.MLFLOW))

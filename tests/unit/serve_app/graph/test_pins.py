"""All replicas of a deploy run one revision of a model, whenever they start and whatever happens to its prefix meanwhile."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import Checkpoint, CheckpointError, Manifest, ManifestFile, pin_of, resolve
from serve_app.graph.pins import Pins
from tests.support.checkpoint_files import write_checkpoint_files
from tests.support.s3 import S3Server, s3_server

BUCKET, PREFIX = "models", "vit/"
URI = f"s3://{BUCKET}/{PREFIX}"


class Store:
    """A cluster's values."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def read(self, key: str) -> bytes | None:
        return self.values.get(key)

    def write_first(self, key: str, value: bytes) -> bytes:
        return self.values.setdefault(key, value)

    def keep_only(self, key: str) -> None:
        self.values = {key: self.values[key]}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        yield server


class Cluster:
    """Replicas of one deployment, each on a machine of its own, and the prefix that their URI names."""

    def __init__(self, s3: S3Server, folder: Path) -> None:
        self.store = Store()
        self._s3 = s3
        self._folder = folder
        self._machines = 0

    def publish(self, seed: int, *, keep: bool = False) -> str:
        """Puts other weights under the prefix, and with `keep` under PREFIX/REVISION/ too; returns their revision."""
        folder = write_checkpoint_files(self._folder / str(seed), seed=seed)
        revision = resolve(str(folder), folder).revision
        self._s3.upload(folder, BUCKET, PREFIX)
        if keep:
            self._s3.upload(folder, BUCKET, f"{PREFIX}{revision}/")
            self._s3.put(BUCKET, f"{PREFIX}{revision}/manifest.json", manifest_of(folder))
        return revision

    def replica(self, user_config: dict[str, Any] | None = None, deploy: str = "1", uri: str = URI, machine: str = "") -> str:
        """The revision that a replica which starts now runs."""
        self._machines += 1
        cache = self._folder / "caches" / (machine or str(self._machines))
        return Pins(self.store, deploy).load(uri, user_config or {}, cache, lambda checkpoint: checkpoint.revision)


def manifest_of(folder: Path) -> bytes:
    files = {
        file.name: ManifestFile(size=file.stat().st_size, sha256=hashlib.sha256(file.read_bytes()).hexdigest()) for file in folder.iterdir()
    }
    return Manifest(files=files).model_dump_json().encode()


@pytest.fixture
def cluster(s3: S3Server, tmp_path: Path) -> Cluster:
    return Cluster(s3, tmp_path)


def test_a_replica_that_starts_later_runs_what_the_first_one_does(cluster: Cluster) -> None:
    first = cluster.publish(1, keep=True)
    assert cluster.replica() == first
    cluster.publish(2, keep=True)
    assert cluster.replica() == first


def test_on_a_machine_that_has_it_nothing_need_be_kept(cluster: Cluster, s3: S3Server) -> None:
    first = cluster.publish(1)
    assert cluster.replica(machine="one") == first
    cluster.publish(2)
    s3.refusal = (503, "ServiceUnavailable")
    assert cluster.replica(machine="one") == first


def test_what_is_nowhere_any_more_is_an_error_and_never_another_model(cluster: Cluster) -> None:
    first = cluster.publish(1)
    cluster.replica()
    second = cluster.publish(2)
    with pytest.raises(CheckpointError, match=f"{URI}': revision {first}, which this deploy runs, is no longer there; it is {second} now"):
        cluster.replica()


def test_a_store_that_is_away_is_not_taken_for_a_changed_prefix(cluster: Cluster, s3: S3Server) -> None:
    cluster.publish(1)
    cluster.replica()
    s3.refusal = (503, "ServiceUnavailable")
    with pytest.raises(CheckpointError, match="S3 failed"):
        cluster.replica()


def test_the_next_deploy_takes_what_the_prefix_means_by_then(cluster: Cluster) -> None:
    first = cluster.publish(1, keep=True)
    assert cluster.replica({"temperature": 1}) == first
    second = cluster.publish(2, keep=True)
    assert cluster.replica({"temperature": 1}) == first
    assert cluster.replica({"temperature": 2}) == second
    third = cluster.publish(3, keep=True)
    assert cluster.replica({"temperature": 2}) == second
    assert cluster.replica({"temperature": 1}) == third  # not the one of the first time
    assert cluster.replica({"temperature": 1}, deploy="2") == third
    assert len(cluster.store.values) == 1


def test_of_replicas_that_start_together_one_decides(cluster: Cluster, tmp_path: Path) -> None:
    first = cluster.publish(1, keep=True)
    loaded: list[str] = []

    def load(checkpoint: Checkpoint) -> str:
        if not loaded:  # while this replica loads, another one starts and is done before it
            loaded.append(checkpoint.revision)
            second = cluster.publish(2, keep=True)
            assert cluster.replica() == second
        return checkpoint.revision

    ours = Pins(cluster.store, "1").load(URI, {}, tmp_path / "ours", load)
    assert loaded == [first]
    assert ours == cluster.replica() != first


def test_a_state_that_does_not_load_is_not_pinned(cluster: Cluster, tmp_path: Path) -> None:
    cluster.publish(1)

    def fail(checkpoint: Checkpoint) -> str:
        raise CheckpointError(checkpoint.uri, "it has other labels", "Use a gender classifier")

    with pytest.raises(CheckpointError, match="other labels"):
        Pins(cluster.store, "1").load(URI, {}, tmp_path / "ours", fail)
    assert cluster.replica() == cluster.publish(1)


def test_a_folder_is_used_in_place(cluster: Cluster, tmp_path: Path) -> None:
    folder = write_checkpoint_files(tmp_path / "mine", seed=1)
    first = cluster.replica(uri=str(folder))
    write_checkpoint_files(folder, seed=2)
    assert cluster.replica(uri=str(folder)) != first
    assert cluster.store.values == {}


def test_a_branch_of_the_hub_is_pinned_at_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "0123abcd"
    pin = pin_of(Checkpoint("hf://org/name@main", snapshot, "org/name", "abc"))
    assert pin and (pin.uri, pin.revision) == ("hf://org/name@0123abcd", "abc")

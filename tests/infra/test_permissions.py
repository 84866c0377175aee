"""The roles of the plan are enough for every S3 call of the code, on a server that answers as IAM would, and for nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest
from ray.train._internal.storage import StorageContext

from serve_app.checkpoints import CheckpointError, resolve
from tests.infra.conftest import Planned
from tests.support.iam import Asked, Gate, allows, permissions
from tests.support.s3 import S3Server, s3_server
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.shared_folder import SharedFolder


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        yield server


@pytest.fixture
def gate(s3: S3Server) -> Gate:
    """Before moto's server; nothing is refused until it has statements."""
    made = Gate()
    s3.gate = made.around
    return made


def policy(aws: Planned, role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(aws.resources[f"module.{role}_role.aws_iam_role_policy.this"]["policy"])["Statement"]
    return found


@pytest.fixture
def buckets(aws: Planned, s3: S3Server, gate: Gate, tmp_path: Path) -> tuple[str, str]:
    """The buckets of models, with one, and of data."""
    models, data = aws.outputs["models_bucket"], aws.outputs["data_bucket"]
    classifier = tmp_path / "classifier"
    classifier.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (classifier / name).write_text("{}")
    (classifier / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")  # no tensors
    s3.upload(classifier, models, "models/vit/")
    s3.client.create_bucket(Bucket=data)
    s3.put(data, "photos/a.jpg", b"a photo")
    return models, data


def test_who_serves_loads_models(aws: Planned, gate: Gate, buckets: tuple[str, str], tmp_path: Path) -> None:
    models, data = buckets
    gate.statements = policy(aws, "serve")
    found = resolve(f"s3://{models}/models/vit/", tmp_path / "cache")
    assert resolve(f"s3://{models}/models/vit/", tmp_path / "other", revision=found.revision).revision == found.revision
    assert gate.denied == []
    assert gate.asked == {"s3:ListBucket", "s3:GetObject"}
    for elsewhere in (f"s3://{data}/photos/", f"s3://{models}/tune/first/"):
        with pytest.raises(CheckpointError, match="(?i)access|denied|permission"):
            resolve(elsewhere, tmp_path / "cache")
    with pytest.raises((InputError, OSError)):
        storage.write_bytes(f"s3://{models}/models/vit/config.json", b"{}")


def test_who_trains_reads_data_and_writes_runs_and_models(aws: Planned, gate: Gate, buckets: tuple[str, str], tmp_path: Path) -> None:
    models, data = buckets
    gate.statements = policy(aws, "tune")
    assert [file.name for file in storage.list_files(f"s3://{data}/")] == ["photos/a.jpg"]
    assert [file.name for file in storage.list_files(f"s3://{data}/photos")] == ["a.jpg"]
    assert storage.read_bytes(f"s3://{data}/photos/a.jpg") == b"a photo"
    large = tmp_path / "weights"
    large.write_bytes(b"w" * 9_000_000)  # boto3 sends it in parts
    for place in (f"s3://{models}/tune/first", f"s3://{models}/models/mine"):
        storage.check_writable(place)
        assert not storage.exists(f"{place}/state.json")  # and not "access denied"
        storage.write_bytes(f"{place}/state.json", b"{}")
        storage.write_file(f"{place}/weights", large)
        assert storage.exists(f"{place}/state.json")
        shared, before = SharedFolder(place), SharedFolder(place).read("manifest.json")
        assert before is None
        shared.create("revision.json", large)
        shared.replace("manifest.json", b"1", before)
        shared.replace("manifest.json", b"2", shared.read("manifest.json"))
        storage.delete(f"{place}/weights")
        storage.delete_folder(place)
        assert storage.find_files(place) == []
    assert gate.denied == []
    for elsewhere in (f"s3://{data}/photos/a.jpg", f"s3://{models}/elsewhere"):
        with pytest.raises((InputError, OSError)):
            storage.write_bytes(elsewhere, b"")


def test_tunes_storage_works_with_the_role_of_who_trains(aws: Planned, gate: Gate, buckets: tuple[str, str], tmp_path: Path) -> None:
    """It goes through pyarrow, which begins with HeadBucket."""
    models, _ = buckets
    gate.statements = policy(aws, "tune")
    context = StorageContext(f"s3://{models}/tune/first", "search")  # writes a marker and reads it
    files, root = context.storage_filesystem, context.experiment_fs_path
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "weights").write_bytes(b"w" * 11_000_000)  # in parts
    (checkpoint / "config.json").write_text("{}")
    files.create_dir(f"{root}/trial_0")
    pyarrow.fs.copy_files(str(checkpoint), f"{root}/trial_0/checkpoint", destination_filesystem=files)
    (tmp_path / "back").mkdir()
    pyarrow.fs.copy_files(f"{root}/trial_0/checkpoint", str(tmp_path / "back"), source_filesystem=files)
    assert (tmp_path / "back" / "weights").stat().st_size == 11_000_000
    files.copy_file(f"{root}/trial_0/checkpoint/config.json", f"{root}/trial_0/config.json")
    files.move(f"{root}/trial_0/config.json", f"{root}/trial_0/old.json")
    listed = files.get_file_info(pyarrow.fs.FileSelector(root, recursive=True))
    assert {Path(each.path).name for each in listed if each.is_file} >= {"weights", "config.json", "old.json"}
    assert files.get_file_info(f"{root}/missing").type == pyarrow.fs.FileType.NotFound
    assert files.get_file_info(models).type == pyarrow.fs.FileType.Directory
    files.delete_file(f"{root}/trial_0/old.json")
    files.delete_dir(f"{root}/trial_0")
    assert [each for each in gate.denied if models in each.resource] == []  # pyarrow also looks for a bucket that nobody has
    assert {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"} <= gate.asked


def test_a_condition_that_wants_a_prefix_refuses_tunes_storage(aws: Planned, gate: Gate, buckets: tuple[str, str]) -> None:
    """As AWS does; so the tests above find it."""
    text = json.dumps(policy(aws, "tune")).replace("StringLikeIfExists", "StringLike")
    gate.statements = json.loads(text)
    with pytest.raises(OSError, match="(?i)denied|403|forbidden|region"):
        StorageContext(f"s3://{buckets[0]}/tune/first", "search")
    assert Asked("s3:ListBucket", f"arn:aws:s3:::{buckets[0]}") in gate.denied


def test_the_judge_knows_what_it_judges() -> None:
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "b", "Condition": {"StringLikeIfExists": {"s3:prefix": "tune/*"}}}
    assert allows(listing, Asked("s3:ListBucket", "b"))
    assert not allows(listing, Asked("s3:ListBucket", "b", {"s3:prefix": "models/"}))
    with pytest.raises(ValueError, match="not understood"):
        allows(listing | {"Effect": "Deny"}, Asked("s3:ListBucket", "b"))
    with pytest.raises(ValueError, match="no rule for PUT"):
        list(permissions({"PATH_INFO": "/b", "REQUEST_METHOD": "PUT", "QUERY_STRING": "acl"}))

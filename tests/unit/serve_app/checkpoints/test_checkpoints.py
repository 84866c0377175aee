"""What holds for every checkpoint, tested on folders: layout, revision, URIs, errors."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForImageClassification, AutoModelForObjectDetection

from serve_app import checkpoints
from serve_app.checkpoints import Checkpoint, CheckpointError, resolve
from tests.support.checkpoint_files import shard, truncate, write_checkpoint_files
from tests.support.checkpoints import write_tiny_classifier, write_tiny_detector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint_files(tmp_path / "vit-best")


def resolved(folder: Path) -> Checkpoint:
    return resolve(str(folder), folder.parent / "cache")


def test_public_names() -> None:
    assert set(checkpoints.__all__) == {
        "CARD_FILE",
        "CONFIG_FILE",
        "MANIFEST_FILE",
        "Checkpoint",
        "CheckpointError",
        "CheckpointUnreachable",
        "EXPORTS",
        "GOLDEN_FILE",
        "INT8_FILES",
        "Entries",
        "LockedError",
        "METRICS_FILE",
        "Manifest",
        "ManifestFile",
        "Pin",
        "explaining_s3",
        "forget_unused",
        "is_taken",
        "pin_of",
        "published_name",
        "resolve",
    }


@pytest.mark.parametrize(
    "write", [str, "file://{}".format, "file://localhost{}".format, "{}/".format], ids=["plain", "file", "localhost", "slash"]
)
def test_a_folder_is_used_where_it_is(folder: Path, write: Callable[[Path], str]) -> None:
    uri = write(folder)
    checkpoint = resolve(uri, folder.parent / "cache")
    assert (checkpoint.uri, checkpoint.path, checkpoint.name) == (uri, folder, "vit-best")
    assert not (folder.parent / "cache").exists()


def test_relative_and_home_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder.parent))
    assert resolve(".", Path("cache")) == Checkpoint(".", folder, "vit-best", resolved(folder).revision)
    assert resolve("~/vit-best", Path("cache")).path == folder


def test_a_file_uri_may_have_escapes(tmp_path: Path) -> None:
    folder = write_checkpoint_files(tmp_path / "my model")
    assert resolve(f"file://{tmp_path}/my%20model", tmp_path / "cache").path == folder


def test_a_link_keeps_its_name_and_leads_to_the_folder_of_now(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder)
    assert (resolved(link).name, resolved(link).path) == ("current", folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_the_revision_changes_with_each_file_that_decides_answers(folder: Path, name: str) -> None:
    before = resolved(folder).revision
    write_checkpoint_files(folder, seed=1) if name == "model.safetensors" else (folder / name).write_text('{"size": 1}')
    after = resolved(folder).revision
    assert after != before
    assert len(after) == 12 and int(after, 16) >= 0


def test_the_revision_changes_with_the_decision(folder: Path) -> None:
    revisions = {resolved(folder).revision}
    for temperature in (1.0, 2.0):
        (folder / "decision.json").write_text(json.dumps({"temperature": temperature}))
        revisions.add(resolved(folder).revision)
    assert len(revisions) == 3


def test_the_revision_does_not_change_with_other_files(folder: Path) -> None:
    before = resolved(folder).revision
    for name in ("MODEL_CARD.md", "metrics.json", "pytorch_model.bin", "adapter.safetensors"):
        (folder / name).write_text("other")
    assert resolved(folder).revision == before


def test_shards_are_weights_too(folder: Path) -> None:
    whole = resolved(folder).revision
    in_shards = resolved(shard(folder)).revision
    assert in_shards != whole


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"vit-best': it lacks {name}. Save both the model and its image processor"):
        resolved(folder)


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"only pickled weights \(pytorch_model.bin\).*save_pretrained"):
        resolved(folder)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lambda file: file.write_bytes(file.read_bytes() + b"x"),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:20]),
        lambda file: file.write_bytes((10**9).to_bytes(8, "little") + b"{}"),
        lambda file: file.write_bytes((2**63).to_bytes(8, "little") + bytes(200)),
        lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    ],
    ids=["one_byte_less", "one_byte_more", "empty", "within_the_header", "header_too_long", "header_overflows", "lfs_pointer"],
)
def test_truncated_or_damaged_weights_are_named(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"vit-best': model.safetensors \(\d+ bytes\) is truncated or damaged.*again"):
        resolved(folder)


def test_a_truncated_shard_is_named(folder: Path) -> None:
    truncate(shard(folder) / "model-00002-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="model-00002-of-00002.safetensors .* is truncated"):
        resolved(folder)


@pytest.mark.parametrize("shard_name", ["../model-1-of-1.safetensors", "model-a/../../model-1-of-1.safetensors", "pytorch_model.bin", 1])
def test_an_index_leads_only_to_shards_in_the_folder(folder: Path, shard_name: object) -> None:
    write_checkpoint_files(folder.parent / "other")
    (folder.parent / "other" / "model.safetensors").rename(folder.parent / "model-1-of-1.safetensors")
    (shard(folder) / "pytorch_model.bin").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"weight": shard_name}}))
    with pytest.raises(CheckpointError, match=f"names {shard_name}, which is not there"):
        resolved(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (shard(folder) / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="names model-00002-of-00002.safetensors, which is not there"):
        resolved(folder)


@pytest.mark.parametrize("index", ["{", "[]", "{}", '{"weight_map": []}'])
def test_a_damaged_index_is_named(folder: Path, index: str) -> None:
    (shard(folder) / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match="model.safetensors.index.json is damaged"):
        resolved(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"'{tmp_path}/none': there is no folder {tmp_path}/none. Check the path"):
        resolve(f"{tmp_path}/none", tmp_path)


def test_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        resolved(folder / "config.json")


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "decision.json").mkdir()
    with pytest.raises(CheckpointError, match="vit-best': a file cannot be read .*decision.json.*Check rights"):
        resolved(folder)


@pytest.mark.parametrize("uri", ["gs://bucket/model", "https://example.org/model.safetensors", "ftp://host/x"])
def test_an_unknown_scheme_is_named(tmp_path: Path, uri: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{uri}': \w+:// is not a scheme .* Write a folder, s3://bucket/prefix/ or hf://"):
        resolve(uri, tmp_path)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        " ",
        "s3:bucket/model",
        "s3://",
        "s3:///model",
        "s3://a/model",
        "s3://buc ket/model",
        "hf:org/name",
        "hf://",
        "hf://name",
        "hf://org/name/more",
        "hf://org/name@",
        "hf://org/name@../main",
        "hf://org/na..me",
        "hf://org/-name",
        "file://host/models",
    ],
)
def test_a_malformed_uri_says_how_to_write_it(tmp_path: Path, uri: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^'{uri}': the URI is malformed.*\. Write "):
        resolve(uri, tmp_path / "cache")


def test_errors_survive_pickling(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as raised:
        resolve("gs://bucket/model", tmp_path)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy), copy.uri) == (type(raised.value), str(raised.value), "gs://bucket/model")


def test_tiny_checkpoints_load(tmp_path: Path) -> None:
    classifier = resolve(str(write_tiny_classifier(tmp_path / "classifier", labels=("male", "female"))), tmp_path)
    assert AutoModelForImageClassification.from_pretrained(classifier.path).config.id2label == {0: "male", 1: "female"}
    for kind in ("detr", "rt_detr", "deimv2"):
        detector = resolve(str(write_tiny_detector(tmp_path / kind, kind)), tmp_path)
        assert AutoModelForObjectDetection.from_pretrained(detector.path).config.model_type == kind
        again = resolve(str(write_tiny_detector(tmp_path / "again" / kind, kind)), tmp_path)
        assert again.revision == detector.revision

"""Checkpoints from S3: real boto3 against moto's server in this process, sometimes over connections that break."""

import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

import serve_app
from serve_app.checkpoints import MANIFEST_FILE, Checkpoint, CheckpointError, CheckpointUnreachable, resolve
from tests.support.checkpoint_files import shard, truncate, write_checkpoint_files
from tests.support.s3 import Cut, S3Server, lead_boto3_to, s3_server

BUCKET = "models"
PREFIX = "vit/best/"
URI = f"s3://{BUCKET}/{PREFIX}"
WEIGHTS = PREFIX + "model.safetensors"
REQUIRED = ["config.json", "model.safetensors", "preprocessor_config.json"]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(monkeypatch) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is uploaded: weights of 4 MB, so that they arrive in several chunks."""
    return write_checkpoint_files(tmp_path / "source", floats=1_000_000)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def uploaded(s3: S3Server, folder: Path) -> S3Server:
    s3.upload(folder, BUCKET, PREFIX)
    return s3


def write_manifest(folder: Path, **changed: dict[str, Any]) -> None:
    files = {
        file.name: {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in sorted(folder.iterdir())
    }
    (folder / MANIFEST_FILE).write_text(json.dumps({"files": files | changed}))


def assert_same(checkpoint: Checkpoint, folder: Path) -> None:
    """The download has the bytes of the source, and the same revision."""
    for name in REQUIRED:
        assert (checkpoint.path / name).read_bytes() == (folder / name).read_bytes()
    assert checkpoint.revision == resolve(str(folder), folder).revision


def gets_of_weights(s3: S3Server) -> list[str | None]:
    return [get.range for get in s3.gets if get.key == WEIGHTS]


@pytest.mark.parametrize("uri", [URI, URI.rstrip("/"), "S3" + URI[2:]])
def test_a_prefix_becomes_a_folder(uploaded: S3Server, folder: Path, cache: Path, uri: str) -> None:
    checkpoint = resolve(uri, cache)
    assert (checkpoint.uri, checkpoint.name) == (uri, "best")
    assert sorted(file.name for file in checkpoint.path.iterdir()) == REQUIRED
    assert_same(checkpoint, folder)


def test_a_whole_bucket_is_a_checkpoint_too(s3: S3Server, folder: Path, cache: Path) -> None:
    s3.upload(folder, BUCKET, "")
    assert resolve(f"s3://{BUCKET}", cache).name == BUCKET


def test_only_the_files_of_a_checkpoint_are_taken(uploaded: S3Server, cache: Path) -> None:
    for name in ("pytorch_model.bin", "optimizer.pt", "runs/config.json", "decision.json", "MODEL_CARD.md", "metrics.json"):
        uploaded.put(BUCKET, PREFIX + name, b"{}")
    checkpoint = resolve(URI, cache)
    assert sorted(file.name for file in checkpoint.path.iterdir()) == [
        "MODEL_CARD.md",
        *REQUIRED[:1],
        "decision.json",
        "metrics.json",
        *REQUIRED[1:],
    ]
    assert len(uploaded.gets) == 6


def test_shards_are_taken(s3: S3Server, folder: Path, cache: Path) -> None:
    s3.upload(shard(folder), BUCKET, PREFIX)
    assert resolve(URI, cache).revision == resolve(str(folder), cache).revision


def test_the_second_time_nothing_is_downloaded(uploaded: S3Server, cache: Path) -> None:
    first = resolve(URI, cache)
    uploaded.gets.clear()
    assert resolve(URI.rstrip("/"), cache).path == first.path
    assert uploaded.gets == []


CHILD = """
import pathlib, sys
from serve_app.checkpoints import resolve
print("ready", flush=True)
sys.stdin.readline()
print(resolve(sys.argv[1], pathlib.Path(sys.argv[2])).revision)
"""


def start_process(cache: Path) -> subprocess.Popen[str]:
    """A process that resolves the URI once it reads a line, and prints the revision."""
    env = os.environ | {"PYTHONPATH": str(Path(serve_app.__file__).parents[1])}
    command = [sys.executable, "-c", CHILD, URI, str(cache)]
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_ten_processes_cause_one_get_per_file(s3: S3Server, folder: Path, cache: Path) -> None:
    write_manifest(folder)
    s3.upload(folder, BUCKET, PREFIX)
    processes = [start_process(cache) for _ in range(10)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert {process.communicate()[0].strip() for process in processes} == {resolve(str(folder), cache).revision}
    assert sorted(get.key for get in s3.gets) == sorted(PREFIX + name for name in [*REQUIRED, MANIFEST_FILE])


def test_a_changed_object_is_a_new_entry(uploaded: S3Server, folder: Path, cache: Path) -> None:
    old = resolve(URI, cache)
    old_bytes = (old.path / "model.safetensors").read_bytes()
    write_checkpoint_files(folder, seed=1)
    uploaded.upload(folder, BUCKET, PREFIX)
    new = resolve(URI, cache)
    assert_same(new, folder)
    assert new.revision != old.revision
    assert (old.path / "model.safetensors").read_bytes() == old_bytes


@pytest.mark.parametrize("after", [0, 1000, 3_500_000])
def test_a_download_that_breaks_off_goes_on(uploaded: S3Server, folder: Path, cache: Path, after: int) -> None:
    uploaded.cuts = [Cut(WEIGHTS, after)]
    assert_same(resolve(URI, cache), folder)
    assert gets_of_weights(uploaded) == [None, f"bytes={after}-" if after else None]
    assert all(get.if_match for get in uploaded.gets)


def test_a_store_without_ranges_sends_it_all_again(uploaded: S3Server, folder: Path, cache: Path) -> None:
    uploaded.cuts = [Cut(WEIGHTS, 1000)]
    uploaded.ignores_ranges = True
    assert_same(resolve(URI, cache), folder)


def test_a_download_that_keeps_breaking_off_is_never_served(uploaded: S3Server, folder: Path, cache: Path) -> None:
    uploaded.cuts = [Cut(WEIGHTS, 1000) for _ in range(20)]
    with pytest.raises(CheckpointUnreachable, match=f"{URI}': model.safetensors broke off 5 times. Check the network"):
        resolve(URI, cache)
    uploaded.cuts = []
    assert_same(resolve(URI, cache), folder)


def test_what_a_broken_off_download_left_is_not_mixed_in(uploaded: S3Server, cache: Path) -> None:
    uploaded.put(BUCKET, PREFIX + "decision.json", b"{}")
    uploaded.cuts = [Cut(WEIGHTS, 1000) for _ in range(5)]
    with pytest.raises(CheckpointUnreachable):
        resolve(URI, cache)
    uploaded.delete(BUCKET, PREFIX + "decision.json")
    assert sorted(file.name for file in resolve(URI, cache).path.iterdir()) == REQUIRED


def test_an_object_replaced_during_the_download_is_not_mixed(uploaded: S3Server, folder: Path, cache: Path) -> None:
    def replace() -> None:
        uploaded.upload(write_checkpoint_files(folder, floats=1_000_000, seed=1), BUCKET, PREFIX)

    uploaded.cuts = [Cut(WEIGHTS, 1000, replace)]
    assert_same(resolve(URI, cache), folder)


def test_an_object_that_keeps_changing_is_given_up(uploaded: S3Server, folder: Path, cache: Path) -> None:
    seeds = iter(range(1, 20))

    def replace() -> None:
        uploaded.upload(write_checkpoint_files(folder, seed=next(seeds)), BUCKET, PREFIX)

    uploaded.cuts = [Cut(WEIGHTS, 1000, replace) for _ in range(10)]
    with pytest.raises(CheckpointError, match=f"{URI}': it kept changing while it was read. Try again when publishing"):
        resolve(URI, cache)


def test_an_object_deleted_during_the_download_is_missed(uploaded: S3Server, cache: Path) -> None:
    uploaded.cuts = [Cut(WEIGHTS, 1000, lambda: uploaded.delete(BUCKET, WEIGHTS))]
    with pytest.raises(CheckpointError, match="it lacks model.safetensors"):
        resolve(URI, cache)


def test_a_process_killed_mid_file_leaves_nothing_that_is_served(uploaded: S3Server, folder: Path, cache: Path) -> None:
    reached, release = Event(), Event()

    def hold() -> None:
        reached.set()
        release.wait(60)

    uploaded.cuts = [Cut(WEIGHTS, 2_500_000, hold)]
    with start_process(cache) as process:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
        try:
            assert reached.wait(60)
        finally:
            process.kill()
            release.set()
    assert_same(resolve(URI, cache), folder)


def test_a_damaged_entry_in_the_cache_is_downloaded_again(uploaded: S3Server, folder: Path, cache: Path) -> None:
    truncate(resolve(URI, cache).path / "model.safetensors")
    assert_same(resolve(URI, cache), folder)


def test_an_object_other_than_its_md5_is_refused(uploaded: S3Server, cache: Path) -> None:
    set_etag(WEIGHTS, "0" * 32)
    with pytest.raises(CheckpointError, match=f"{URI}': model.safetensors arrived damaged: its checksum differs"):
        resolve(URI, cache)


def test_an_etag_that_is_no_md5_is_not_taken_for_one(uploaded: S3Server, folder: Path, cache: Path) -> None:
    uploaded.put_multipart(BUCKET, WEIGHTS, (folder / "model.safetensors").read_bytes())
    uploaded.put(BUCKET, PREFIX + "config.json", (folder / "config.json").read_bytes(), ServerSideEncryption="aws:kms")
    set_etag(PREFIX + "config.json", "0" * 32)  # with a KMS key, the ETag has 32 hex digits but is not an MD5
    assert_same(resolve(URI, cache), folder)


def set_etag(key: str, etag: str) -> None:
    get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys[key]._etag = etag


def test_weights_truncated_before_they_were_published_are_refused(s3: S3Server, folder: Path, cache: Path) -> None:
    truncate(folder / "model.safetensors")
    s3.upload(folder, BUCKET, PREFIX)
    with pytest.raises(CheckpointError, match=rf"{URI}': model.safetensors \(\d+ bytes\) is truncated"):
        resolve(URI, cache)


def test_a_truncated_publish_never_becomes_the_last_state(uploaded: S3Server, folder: Path, cache: Path) -> None:
    good = resolve(URI, cache)
    truncate(folder / "model.safetensors")
    uploaded.upload(folder, BUCKET, PREFIX)
    with pytest.raises(CheckpointError, match="is truncated"):
        resolve(URI, cache)
    uploaded.refusal = (503, "ServiceUnavailable")
    assert resolve(URI, cache) == good


def test_with_a_manifest_only_its_files_are_taken(s3: S3Server, folder: Path, cache: Path) -> None:
    write_manifest(folder)
    s3.upload(folder, BUCKET, PREFIX)
    s3.put(BUCKET, PREFIX + "decision.json", b'{"left over": "from an earlier checkpoint"}')
    checkpoint = resolve(URI, cache)
    assert sorted(file.name for file in checkpoint.path.iterdir()) == REQUIRED
    assert_same(checkpoint, folder)


def test_the_manifest_holds_where_the_etag_says_nothing(s3: S3Server, folder: Path, cache: Path) -> None:
    write_manifest(folder)
    s3.upload(folder, BUCKET, PREFIX)
    other = bytearray((folder / "model.safetensors").read_bytes())
    other[-1] ^= 1
    s3.put_multipart(BUCKET, WEIGHTS, bytes(other))
    with pytest.raises(CheckpointError, match="model.safetensors arrived damaged"):
        resolve(URI, cache)


def test_a_publish_that_is_not_finished_is_refused_before_the_weights_are_read(s3: S3Server, folder: Path, cache: Path) -> None:
    write_manifest(folder)
    s3.upload(folder, BUCKET, PREFIX)
    s3.put(BUCKET, WEIGHTS, b"of another size")
    with pytest.raises(CheckpointError, match="model.safetensors is not the one that manifest.json describes. Wait for the publishing"):
        resolve(URI, cache)
    assert gets_of_weights(s3) == []


@pytest.mark.parametrize("manifest", [b"{", b"{}", b'{"files": {"config.json": {"size": -1, "sha256": "x"}}}', b" " * 2_000_000])
def test_a_manifest_that_is_not_valid_is_refused(uploaded: S3Server, cache: Path, manifest: bytes) -> None:
    uploaded.put(BUCKET, PREFIX + MANIFEST_FILE, manifest)
    with pytest.raises(CheckpointError, match=f"{URI}': manifest.json is not valid.*Publish the checkpoint again"):
        resolve(URI, cache)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_object_is_named_before_anything_is_downloaded(uploaded: S3Server, cache: Path, name: str) -> None:
    uploaded.delete(BUCKET, PREFIX + name)
    with pytest.raises(CheckpointError, match=f"{URI}': it lacks {name}"):
        resolve(URI, cache)
    assert uploaded.gets == []


def test_pickled_weights_are_refused(uploaded: S3Server, cache: Path) -> None:
    uploaded.delete(BUCKET, WEIGHTS)
    uploaded.put(BUCKET, PREFIX + "pytorch_model.bin", b"pickle")
    with pytest.raises(CheckpointError, match=r"only pickled weights \(pytorch_model.bin\)"):
        resolve(URI, cache)


def test_a_missing_bucket_is_named(s3: S3Server, cache: Path) -> None:
    with pytest.raises(CheckpointError, match="s3://no-such-bucket/vit/': there is no such bucket. Check its name"):
        resolve("s3://no-such-bucket/vit/", cache)


def test_a_missing_prefix_is_named(uploaded: S3Server, cache: Path) -> None:
    with pytest.raises(CheckpointError, match=f"s3://{BUCKET}/none/': there are no objects under this prefix. Check the prefix"):
        resolve(f"s3://{BUCKET}/none/", cache)


def test_a_prefix_is_a_whole_folder_name(uploaded: S3Server, cache: Path) -> None:
    with pytest.raises(CheckpointError, match="there are no objects"):
        resolve(URI.rstrip("st/"), cache)


def test_no_credentials(uploaded: S3Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CheckpointError, match=f"{URI}': there are no usable AWS credentials .* Set AWS_PROFILE"):
        resolve(URI, cache)


def test_half_the_credentials(uploaded: S3Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CheckpointError, match="there are no usable AWS credentials"):
        resolve(URI, cache)


def test_a_profile_that_is_not_there(uploaded: S3Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CheckpointError, match="there are no usable AWS credentials .*nobody"):
        resolve(URI, cache)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (400, "ExpiredToken")]
)
def test_access_denied(uploaded: S3Server, cache: Path, status: int, code: str) -> None:
    uploaded.refusal = (status, code)
    with pytest.raises(CheckpointError, match=rf"{URI}': access is denied \({code}\). Give these credentials s3:ListBucket"):
        resolve(URI, cache)


def test_any_other_refusal_is_passed_on(uploaded: S3Server, cache: Path) -> None:
    uploaded.refusal = (400, "IllegalLocationConstraintException")
    with pytest.raises(CheckpointError, match=r"S3 refused \(.*IllegalLocationConstraintException"):
        resolve(URI, cache)


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_boto3_to(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(CheckpointUnreachable, match=f"{URI}': S3 cannot be reached .* Check the network and AWS_ENDPOINT_URL"):
        resolve(URI, cache)


def test_an_endpoint_that_is_no_url(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_boto3_to(monkeypatch, "nonsense")
    with pytest.raises(CheckpointError, match=r"the S3 client cannot be set up \(Invalid endpoint: nonsense\). Check AWS_ENDPOINT_URL"):
        resolve(URI, cache)


def test_without_network_the_last_state_is_used_with_a_warning(
    uploaded: S3Server, folder: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in (1, 2, 1):  # the state that was last seen, not last downloaded
        uploaded.upload(write_checkpoint_files(folder, seed=seed), BUCKET, PREFIX)
        resolve(URI, cache)
    uploaded.refusal = (503, "ServiceUnavailable")
    with caplog.at_level(logging.WARNING, logger="serve_app"):
        assert_same(resolve(URI, cache), folder)
    assert f"{URI}': S3 failed" in caplog.text
    assert "Using the copy in the cache" in caplog.text


def test_a_broken_off_update_leaves_the_last_state(uploaded: S3Server, folder: Path, cache: Path) -> None:
    old = resolve(URI, cache)
    uploaded.upload(write_checkpoint_files(folder, floats=1_000_000, seed=1), BUCKET, PREFIX)
    uploaded.cuts = [Cut(WEIGHTS, 1000) for _ in range(20)]
    assert resolve(URI, cache) == old


def test_access_denied_is_not_hidden_by_the_cache(uploaded: S3Server, cache: Path) -> None:
    resolve(URI, cache)
    uploaded.refusal = (403, "AccessDenied")
    with pytest.raises(CheckpointError, match="access is denied"):
        resolve(URI, cache)


def test_a_cache_that_cannot_be_written_is_named(uploaded: S3Server, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match=f"{URI}': a file cannot be read or written .*Check rights and free space, also of {cache}"):
        resolve(URI, cache)


def test_progress_is_logged_and_keys_are_not(uploaded: S3Server, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="serve_app"):
        resolve(URI, cache)
    assert f"downloading {URI}: 3 files, 4.0 MB" in caplog.text
    assert f"downloaded {URI}: 4.0 MB in " in caplog.text
    assert "testing" not in caplog.text

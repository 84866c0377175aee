"""Checkpoints from a fake Hugging Face hub over HTTP. The library reads HF_* when it is imported, so each test runs it in a new process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import serve_app
from serve_app.checkpoints import resolve
from tests.support.checkpoint_files import shard, truncate, write_checkpoint_files
from tests.support.hub import Hub, hub_server

CHILD = """
import pathlib, sys
from serve_app.checkpoints import CheckpointError, resolve
try:
    checkpoint = resolve(sys.argv[1], pathlib.Path(sys.argv[2]))
    print(checkpoint.name, checkpoint.revision, *sorted(file.name for file in checkpoint.path.iterdir()))
except CheckpointError as error:
    print(type(error).__name__, error)
"""
NOWHERE = "http://127.0.0.1:9"
URI = "hf://org/name"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hub_server(Hub(write_checkpoint_files(tmp_path / "source"))) as hub:
        yield hub


def resolved(endpoint: str, tmp_path: Path, uri: str = URI, offline: bool = False) -> str:
    """What a new process prints: name, revision and files, or the error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))} | {
        "PYTHONPATH": str(Path(serve_app.__file__).parents[1]),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": str(int(offline)),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(tmp_path / "home"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    command = [sys.executable, "-c", CHILD, uri, str(tmp_path / "cache")]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def expected(hub: Hub, *files: str) -> str:
    """The output when the files arrive unchanged."""
    names = files or ("config.json", "model.safetensors", "preprocessor_config.json")
    return " ".join([hub.repo, resolve(str(hub.folder), hub.folder).revision, *names])


@pytest.mark.parametrize("uri", [URI, f"{URI}/", f"{URI}@main", f"{URI}@{Hub.commit}"])
def test_a_repository_becomes_a_folder(hub: Hub, tmp_path: Path, uri: str) -> None:
    assert resolved(hub.url, tmp_path, uri) == expected(hub)


def test_a_revision_with_a_slash(hub: Hub, tmp_path: Path) -> None:
    hub.revision = "refs/pr/1"
    assert resolved(hub.url, tmp_path, f"{URI}@refs/pr/1") == expected(hub)


def test_only_the_files_of_a_checkpoint_are_taken(hub: Hub, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "README.md", "decision.json", "training_args.bin", "adapter.safetensors"):
        (hub.folder / name).write_text(f'"{name}"')  # different contents, because the library downloads identical files only once
    files = ["config.json", "decision.json", "model.safetensors", "preprocessor_config.json"]
    assert resolved(hub.url, tmp_path) == expected(hub, *files)
    assert sorted(hub.downloads) == files


def test_shards_are_taken(hub: Hub, tmp_path: Path) -> None:
    shard(hub.folder)
    assert resolved(hub.url, tmp_path) == expected(hub, *sorted(file.name for file in hub.folder.iterdir()))


@pytest.mark.parametrize("offline", [False, True], ids=["no_network", "offline_mode"])
def test_without_network_a_filled_cache_will_do(hub: Hub, tmp_path: Path, offline: bool) -> None:
    online = resolved(hub.url, tmp_path)
    assert resolved(NOWHERE, tmp_path, offline=offline) == online == expected(hub)


@pytest.mark.parametrize("offline", [False, True], ids=["no_network", "offline_mode"])
def test_without_network_and_cache(tmp_path: Path, offline: bool) -> None:
    answer = resolved(NOWHERE, tmp_path, offline=offline)
    assert answer.startswith(f"CheckpointUnreachable '{URI}': the hub cannot be reached and the cache has no complete copy")
    assert "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE" in answer


def test_the_second_time_nothing_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    resolved(hub.url, tmp_path)
    hub.downloads.clear()
    assert resolved(hub.url, tmp_path) == expected(hub)
    assert hub.downloads == []


def test_no_such_repository(hub: Hub, tmp_path: Path) -> None:
    answer = resolved(hub.url, tmp_path, "hf://org/none")
    problem, advice = "the hub has no such repository, or it is private", "Check the name; for a private one set HF_TOKEN"
    assert answer == f"CheckpointError 'hf://org/none': {problem}. {advice}."


def test_no_such_revision(hub: Hub, tmp_path: Path) -> None:
    answer = resolved(hub.url, tmp_path, f"{URI}@none")
    assert answer == f"CheckpointError '{URI}@none': the repository has no revision none. Name one of its branches, tags or commits."


def test_a_gated_repository(hub: Hub, tmp_path: Path) -> None:
    hub.gated = True
    assert (
        resolved(hub.url, tmp_path) == f"CheckpointError '{URI}': the repository is gated. Accept its terms on its page, then set HF_TOKEN."
    )


def test_a_missing_file(hub: Hub, tmp_path: Path) -> None:
    (hub.folder / "preprocessor_config.json").unlink()
    assert resolved(hub.url, tmp_path).startswith(f"CheckpointError '{URI}': it lacks preprocessor_config.json.")


def test_pickled_weights_are_refused(hub: Hub, tmp_path: Path) -> None:
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    assert resolved(hub.url, tmp_path).startswith(f"CheckpointError '{URI}': it has only pickled weights (pytorch_model.bin)")
    assert "pytorch_model.bin" not in hub.downloads


def test_no_progress_bars_between_the_lines_of_the_log(hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    resolved(hub.url, tmp_path)
    assert capfd.readouterr().err == ""


def test_truncated_weights(hub: Hub, tmp_path: Path) -> None:
    truncate(hub.folder / "model.safetensors")
    answer = resolved(hub.url, tmp_path)
    assert answer.startswith(f"CheckpointError '{URI}': model.safetensors (")
    assert "is truncated or damaged" in answer

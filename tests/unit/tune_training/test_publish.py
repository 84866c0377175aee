"""Publishing to moto's S3 and to folders; the service's own `resolve` reads after every single write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import MANIFEST_FILE, CheckpointError, resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.graph.model_slot import ModelSlot
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.s3 import S3Server, s3_server
from tune_training.evaluate.metrics_file import to_json, weights_sha256
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.publish import deploy_command, publish

TARGET = "s3://models/vit"


@pytest.fixture(autouse=True)
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    with s3_server(monkeypatch) as server:
        server.client.create_bucket(Bucket="models")
        yield server
    get_settings.cache_clear()


def write_judged(folder: Path, accuracy: float = 0.9, *, labels: tuple[str, str] = ("female", "male"), temperature: float = 1.0) -> str:
    """A tiny classifier as `evaluate` leaves it; another order of `labels` or another temperature makes it another model."""
    write_tiny_classifier(folder, labels=labels)
    ClassifierDecision(temperature=temperature).write(folder)
    split = {
        "photos_sha256": "same",
        "balanced_accuracy": {"value": accuracy, "low": 0.8, "high": 0.99},
        "ece": {"value": 1 - accuracy, "low": 0.0, "high": 0.2},
    }
    metrics = {
        "weights_sha256": weights_sha256(folder),
        "revision": resolve(str(folder), folder).revision,
        "splits": {"test": split},
    }
    (folder / "metrics.json").write_text(to_json(metrics))
    (folder / "MODEL_CARD.md").write_text("# A card\n")
    return str(folder)


@pytest.fixture
def first(tmp_path: Path) -> str:
    return write_judged(tmp_path / "first")


@pytest.fixture
def better(tmp_path: Path) -> str:
    return write_judged(tmp_path / "better", 0.95, labels=("male", "female"), temperature=2.0)


def revision(uri: str, cache: Path) -> str:
    return resolve(uri, cache).revision


def after_each_write(monkeypatch: pytest.MonkeyPatch, then: Any) -> None:
    """Calls `then` after every file written."""
    for name in ("write_bytes", "write_file"):
        real = getattr(storage, name)

        def wrapped(uri: str, content: Any, real: Any = real) -> None:
            real(uri, content)
            then(uri)

        monkeypatch.setattr(storage, name, wrapped)


@pytest.mark.parametrize("place", ["s3", "folder"])
def test_what_is_published_is_what_serving_loads(first: str, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"{TARGET}/" if place == "s3" else str(tmp_path / "published" / "vit")
    uri = publish(first, target)
    for each in (uri, target):
        found = resolve(each, tmp_path / "cache")
        assert (found.revision, found.name) == (revision(first, tmp_path), "vit")
        assert {"decision.json", "metrics.json", "MODEL_CARD.md"} <= {path.name for path in found.path.iterdir()}
        assert Classifier.load(found, ON_TORCH)
    assert uri == f"{target.rstrip('/')}/{revision(first, tmp_path)}/"
    assert deploy_command(uri) in capsys.readouterr().out


@pytest.mark.parametrize("before", ["nothing", "plain", "published"])
@pytest.mark.parametrize("place", ["s3", "folder"])
def test_a_reader_sees_the_old_model_or_the_new_one_or_is_refused_at_every_moment(
    first: str, better: str, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, place: str, before: str
) -> None:
    target = TARGET if place == "s3" else str(tmp_path / "published")
    if before == "plain":  # copied by hand, without a manifest
        for file in Path(first).iterdir():
            if file.name != "decision.json":
                storage.write_file(storage.join(target, file.name), file)
    if before == "published":
        publish(first, target)
    allowed = {revision(better, tmp_path)} | ({revision(target, tmp_path / "c")} if before != "nothing" else set())
    seen: list[str | None] = []

    def read(_: str) -> None:
        try:
            seen.append(revision(target, tmp_path / "reader"))
        except CheckpointError:
            seen.append(None)

    after_each_write(monkeypatch, read)
    publish(better, target)
    assert {each for each in seen if each} <= allowed
    assert None in seen
    assert seen[-1] == revision(better, tmp_path)


@pytest.mark.parametrize("writes", range(1, 15, 2))
def test_publishing_that_was_killed_is_refused_and_mended_by_the_same_command(
    first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    publish(first, TARGET)
    old = f"{TARGET}/{revision(first, tmp_path)}/"
    done: list[str] = []

    def stop(uri: str) -> None:
        done.append(uri)
        if len(done) == writes:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        after_each_write(patched, stop)
        with pytest.raises(KeyboardInterrupt):
            publish(better, TARGET)
    assert revision(old, tmp_path / "reader") == revision(first, tmp_path)  # a reader of a pinned revision is unaffected
    uri = publish(better, TARGET)
    for each in (uri, TARGET):
        assert revision(each, tmp_path / "reader") == revision(better, tmp_path)


def test_publishing_again_writes_nothing(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = publish(first, TARGET)
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    assert publish(first, TARGET) == uri
    assert written == []


def test_a_published_file_that_was_changed_is_written_again(first: str, s3: S3Server, tmp_path: Path) -> None:
    publish(first, TARGET)
    s3.put("models", "vit/decision.json", b"{}")
    with pytest.raises(CheckpointError, match=r"decision.json is not the one that manifest.json describes"):
        resolve(TARGET, tmp_path / "reader")
    publish(first, TARGET)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)


def test_a_folder_with_files_of_another_checkpoint_is_refused(first: str, tmp_path: Path) -> None:
    target = tmp_path / "published"
    publish(first, str(target))
    (target / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"model.safetensors.index.json: not in manifest.json, so left over"):
        resolve(str(target), tmp_path)


def test_a_worse_model_is_refused_and_nothing_is_written(first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(better, TARGET)
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    with pytest.raises(InputError, match=r"worse than the one published: it has balanced_accuracy 0.9000 on test, .* 0.9500. --margin"):
        publish(first, TARGET)
    with pytest.raises(InputError, match=r"ece 0.1000 on test, .* 0.0500"):
        publish(first, TARGET, metric="ece", margin=0.04)
    assert written == []
    publish(first, TARGET, margin=0.06)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)
    publish(better, TARGET)
    publish(first, TARGET, force=True)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)


def test_numbers_from_other_photos_are_said_to_be(first: str, better: str) -> None:
    publish(better, TARGET)
    path = Path(first) / "metrics.json"
    path.write_text(path.read_text().replace('"same"', '"other"'))
    with pytest.raises(InputError, match="0.9500, on other photos"):
        publish(first, TARGET)


def test_a_metric_that_was_not_measured_cannot_be_compared(first: str) -> None:
    with pytest.raises(InputError, match="the model has no roc_auc on the split 'test'"):
        publish(first, TARGET, metric="roc_auc")


@pytest.mark.parametrize("name", ["decision.json", "metrics.json", "MODEL_CARD.md"])
def test_a_model_that_was_not_judged_is_refused(first: str, name: str) -> None:
    (Path(first) / name).unlink()
    with pytest.raises(InputError, match=f"it lacks {name}. Run `evaluate --calibrate` first"):
        publish(first, TARGET)


def test_metrics_of_another_decision_are_refused(first: str) -> None:
    ClassifierDecision(temperature=3.0).write(Path(first))
    with pytest.raises(InputError, match="measured on other weights or with another decision"):
        publish(first, TARGET)


def test_what_serving_cannot_load_is_refused(first: str, tmp_path: Path, s3: S3Server) -> None:
    judged = write_judged(tmp_path / "cats", labels=("cat", "dog"))
    with pytest.raises(CheckpointError, match="not male and female"):
        publish(judged, TARGET)
    assert s3.client.list_objects_v2(Bucket="models").get("Contents") is None


def test_a_bucket_that_is_not_there_is_named(first: str) -> None:
    with pytest.raises(InputError, match="there is no such bucket"):
        publish(first, "s3://no-such-bucket/vit/")


async def test_a_running_model_is_exchanged_for_what_was_published(first: str, better: str, tmp_path: Path) -> None:
    def load(config: dict[str, Any]) -> Classifier:
        return Classifier.load(resolve(config["model_uri"], tmp_path / "replica"), ON_TORCH)

    async def warm(classifier: Classifier) -> None:
        classifier([classifier.blank_crop()])

    slot = ModelSlot(load, warm)
    old = publish(first, TARGET)
    await slot.apply({"model_uri": old})
    new = publish(better, TARGET)
    await slot.apply({"model_uri": new})
    await slot.settled()
    assert (slot.fault, slot.current.checkpoint.revision) == (None, revision(better, tmp_path))
    assert resolve(old, tmp_path / "a replica that starts later").revision == revision(first, tmp_path)


def test_the_manifest_names_every_file_and_is_written_last(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    publish(first, TARGET)
    assert written[-1] == f"{TARGET}/{MANIFEST_FILE}"
    manifest = json.loads(storage.read_bytes(written[-1]))
    assert set(manifest["files"]) == {path.name for path in Path(first).iterdir()}

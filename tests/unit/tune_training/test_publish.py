"""Publishing to moto's S3 and to folders; the service's own `resolve` reads after every single write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.checkpoints import MANIFEST_FILE, CheckpointError, resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.graph.model_slot import ModelSlot
from serve_app.runtimes.base import FEMALE
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.drawn_photos import FigureFinder, write_portraits
from tests.support.s3 import S3Server, s3_server
from tune_training import publish as module
from tune_training.data.table import read_table
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


def write_judged(
    folder: Path, *, labels: tuple[str, str] = ("female", "male"), temperature: float = 1.0, min_confidence: float = 0.0
) -> str:
    """A tiny classifier as `evaluate` leaves it; another order of `labels` or another temperature makes it another model."""
    write_tiny_classifier(folder, labels=labels)
    ClassifierDecision(temperature=temperature, min_confidence=min_confidence).write(folder)
    metrics = {"weights_sha256": weights_sha256(folder), "revision": resolve(str(folder), folder).revision}
    (folder / "metrics.json").write_text(to_json(metrics))
    (folder / "MODEL_CARD.md").write_text("# A card\n")
    return str(folder)


@pytest.fixture
def first(tmp_path: Path) -> str:
    return write_judged(tmp_path / "first")


@pytest.fixture
def better(tmp_path: Path) -> str:
    """Its answers are the opposite of those of `first`, which takes all drawn photos for men."""
    return write_judged(tmp_path / "better", labels=("male", "female"), temperature=2.0)


@pytest.fixture
def women(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of photos of women, half of them old, whose detector is a fake; answers about them are cached in the test's folder."""
    monkeypatch.setattr(module, "load_detector", lambda uri: FigureFinder().as_detector())
    rows = read_table(str(write_portraits(tmp_path / "portraits", ["test"], photos=50)))
    lines = [f"{row.path},test,female,{20 if number % 2 else 70}" for number, row in enumerate(rows) if row.label == FEMALE]
    table = tmp_path / "portraits" / "women.csv"
    table.write_text("\n".join(["path,split,label,age", *lines]))
    return str(table)


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
    publish(better, target, force=True)
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
            publish(better, TARGET, force=True)
    assert revision(old, tmp_path / "reader") == revision(first, tmp_path)  # a reader of a pinned revision is unaffected
    uri = publish(better, TARGET, force=True)
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


def forced(target: str) -> list[str]:
    """What the manifest there says was overruled."""
    found: list[str] = json.loads(storage.read_bytes(storage.join(target, MANIFEST_FILE)))["forced"]
    return found


def test_a_worse_model_is_refused_with_the_numbers_and_nothing_is_written(
    first: str, better: str, women: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(better, TARGET)
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    with pytest.raises(InputError) as refused:
        publish(first, TARGET, women)
    message = str(refused.value)
    assert "it is worse: balanced_accuracy 0.0000, the published one has 1.0000, difference -1.0000, 95 % interval -1.0000 to" in message
    assert "it is worse: worst_group 0.0000 (female, age 20-29), the published one has 1.0000 (female, age 20-29)" in message
    assert "it is worse: ece" in message
    assert "answered" not in message
    assert written == []


def test_a_forced_model_is_published_and_what_spoke_against_it_is_kept(first: str, better: str, women: str, tmp_path: Path) -> None:
    publish(better, TARGET)
    uri = publish(first, TARGET, women, force=True)
    for place in (uri, TARGET):
        assert revision(place, tmp_path / "reader") == revision(first, tmp_path)
        assert [finding.partition("worse: ")[2].split()[0] for finding in forced(place)] == ["balanced_accuracy", "ece", "worst_group"]


def test_a_better_model_needs_no_force(first: str, better: str, women: str, tmp_path: Path) -> None:
    publish(first, TARGET)
    publish(better, TARGET, women)
    assert revision(TARGET, tmp_path / "reader") == revision(better, tmp_path)
    assert forced(TARGET) == []


def test_a_model_does_not_pass_by_saying_less(first: str, better: str, women: str, tmp_path: Path) -> None:
    publish(better, TARGET)
    write_judged(tmp_path / "unsure", min_confidence=0.99)
    with pytest.raises(InputError, match=r"it is worse: balanced_accuracy 0.0000"):
        publish(str(tmp_path / "unsure"), TARGET, women)


def test_another_model_is_not_replaced_without_photos_to_compare_them_on(first: str, better: str) -> None:
    publish(first, TARGET)
    with pytest.raises(InputError, match=r"photos to compare them on were not named \(--data\). --force publishes it all the same"):
        publish(better, TARGET)
    publish(better, TARGET, force=True)
    assert forced(TARGET) == ["another model is there, and photos to compare them on were not named (--data)"]


def test_a_model_that_cannot_be_loaded_any_more_is_replaced_only_by_force(first: str, better: str, women: str, s3: S3Server) -> None:
    publish(first, TARGET)
    s3.put("models", "vit/decision.json", b"{}")
    with pytest.raises(InputError, match=r"cannot be compared with the one there \(.*decision.json is not the one that"):
        publish(better, TARGET, women)
    publish(better, TARGET, women, force=True)
    assert "decision.json" in forced(TARGET)[0]


def test_an_interrupted_forced_publishing_needs_force_again(
    first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(first, TARGET)

    def stop(uri: str) -> None:
        if uri == f"{TARGET}/{MANIFEST_FILE}":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        after_each_write(patched, stop)
        with pytest.raises(KeyboardInterrupt):
            publish(better, TARGET, force=True)
    with pytest.raises(InputError, match="photos to compare them on were not named"):
        publish(better, TARGET)
    publish(better, TARGET, force=True)
    assert forced(TARGET) == forced(f"{TARGET}/{revision(better, tmp_path)}") != []


def test_manifests_of_before_are_still_manifests(first: str, tmp_path: Path) -> None:
    publish(first, TARGET)
    path = f"{TARGET}/{MANIFEST_FILE}"
    storage.write_bytes(path, json.dumps({"files": json.loads(storage.read_bytes(path))["files"]}).encode())
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)


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
    new = publish(better, TARGET, force=True)
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

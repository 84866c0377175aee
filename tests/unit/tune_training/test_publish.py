"""Publishing to moto's S3 and to folders; the service's own `resolve` reads after every single write."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from serve_app.checkpoints import MANIFEST_FILE, CheckpointError, Manifest, ManifestFile, resolve
from serve_app.checkpoints.card import sha256_of, weights_sha256
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.graph.model_slot import ModelSlot
from serve_app.runtimes.base import FEMALE
from serve_app.settings import COLOCATED_CONFIG, SERVE_CONFIG, get_settings
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.drawn_photos import FigureFinder, write_portraits
from tests.support.s3 import S3Server, s3_server
from tune_training.data.table import read_table
from tune_training.evaluate.metrics_file import to_json
from tune_training.io import models, storage
from tune_training.io.errors import InputError
from tune_training.io.shared_folder import SharedFolder
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
    monkeypatch.setattr(models, "load_detector", lambda uri: FigureFinder().as_detector())
    rows = read_table(str(write_portraits(tmp_path / "portraits", ["test"], photos=50)))
    lines = [f"{row.path},test,female,{20 if number % 2 else 70}" for number, row in enumerate(rows) if row.label == FEMALE]
    table = tmp_path / "portraits" / "women.csv"
    table.write_text("\n".join(["path,split,label,age", *lines]))
    return str(table)


def revision(uri: str, cache: Path) -> str:
    return resolve(uri, cache).revision


def after_each_write(monkeypatch: pytest.MonkeyPatch, then: Callable[[str], object]) -> None:
    """Calls `then` after every file written."""
    for name in ("create", "replace"):
        real = getattr(SharedFolder, name)

        def wrapped(place: SharedFolder, name: str, *what: object, real: Callable[..., None] = real) -> None:
            real(place, name, *what)
            then(storage.join(place._uri, name))

        monkeypatch.setattr(SharedFolder, name, wrapped)


def evaluate_again(folder: str) -> None:
    """The same model with other metrics."""
    path = Path(folder) / "metrics.json"
    path.write_text(to_json(json.loads(path.read_text()) | {"data": "more photos"}))


def published_in(target: str) -> dict[str, bytes]:
    """All files there, with their content."""
    return {file.name: storage.read_bytes(storage.join(target, file.name)) for file in storage.find_files(target)}


@pytest.mark.parametrize("place", ["s3", "folder"])
def test_what_is_published_is_what_serving_loads(first: str, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"{TARGET}/" if place == "s3" else str(tmp_path / "published" / "vit")
    uri = publish(first, target)
    for each in (uri, target):
        found = resolve(each, tmp_path / "cache")
        assert (found.revision, found.name) == (revision(first, tmp_path), "vit")
        assert {"decision.json", "metrics.json", "MODEL_CARD.md"} <= {path.name for path in found.path.iterdir()}
        assert Classifier.load(found, ON_TORCH)
    assert uri.startswith(f"{target.rstrip('/')}/{revision(first, tmp_path)}-")
    assert deploy_command(uri) in capsys.readouterr().out


@pytest.mark.parametrize("name", [SERVE_CONFIG, COLOCATED_CONFIG])
def test_the_printed_line_changes_the_classifiers_uri_and_nothing_else(name: str, tmp_path: Path) -> None:
    before = (Path(__file__).parents[3] / name).read_text()
    (tmp_path / name).write_text(before)
    edit, _, deploy = deploy_command("s3://bucket/vit/1/", Path(name)).partition(" && ")
    assert deploy.endswith(f"serve deploy {name}")
    subprocess.run(edit, shell=True, cwd=tmp_path, check=True)
    (application,) = yaml.safe_load((tmp_path / name).read_text())["applications"]
    changed = {each["name"]: each["user_config"] for each in application["deployments"] if "user_config" in each}
    if name == SERVE_CONFIG:
        changed = {"detector": changed["PersonDetector"], "classifier": changed["GenderClassifier"]}
    else:
        changed = changed["ColocatedModels"]
    assert (changed["detector"]["model_uri"], changed["classifier"]["model_uri"]) == (None, "s3://bucket/vit/1/")
    assert len(set((tmp_path / name).read_text().splitlines()) ^ set(before.splitlines())) <= 2


def as_before(folder: str, target: str) -> None:
    """Publishes as earlier versions did: all files at the target, too."""
    files = {path.name: ManifestFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in Path(folder).iterdir()}
    for place in (target, storage.join(target, revision(folder, Path(folder)))):
        for name in files:
            storage.write_file(storage.join(place, name), Path(folder, name))
        storage.write_bytes(storage.join(place, MANIFEST_FILE), Manifest(files=files).model_dump_json().encode())


def copied(folder: str, target: str) -> None:
    """Puts a model there by hand, without a manifest."""
    for file in Path(folder).iterdir():
        storage.write_file(storage.join(target, file.name), file)


@pytest.mark.parametrize("before", [None, copied, as_before, publish])
@pytest.mark.parametrize("place", ["s3", "folder"])
def test_a_replica_that_starts_at_any_moment_gets_one_whole_model(
    first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, before: Callable[[str, str], object] | None
) -> None:
    target = TARGET if place == "s3" else str(tmp_path / "published")
    if before:
        before(first, target)
    seen: list[str] = []

    def read(_: str) -> None:
        try:
            found = resolve(target, tmp_path / "reader")
        except CheckpointError:
            seen.append("refused")
        else:
            Classifier.load(found, ON_TORCH)
            seen.append(found.revision)

    after_each_write(monkeypatch, read)
    uri = publish(better, target, force=True)
    until_then = revision(first, tmp_path) if before else "refused"
    assert seen == [until_then] * (len(seen) - 1) + [revision(better, tmp_path)]
    assert len(seen) == len(list(Path(better).iterdir())) + 2  # its own manifest, and that of the target
    if before in (as_before, publish):
        assert resolve(target, tmp_path / "later", revision(first, tmp_path)).revision == revision(first, tmp_path)
    assert resolve(uri, tmp_path / "later").name == PurePosixPath(target).name


def test_what_is_there_of_a_revision_is_no_model_before_it_is_whole(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[bool] = []

    def read(uri: str) -> None:
        with suppress(CheckpointError):
            found = resolve(uri.rpartition("/")[0], tmp_path / "reader")
            loaded.append({path.name for path in found.path.iterdir()} == {path.name for path in Path(first).iterdir()})

    after_each_write(monkeypatch, read)
    publish(first, TARGET)
    assert loaded and all(loaded)


@pytest.mark.parametrize("writes", range(1, 8, 2))
def test_publishing_that_was_killed_changes_nothing_and_is_completed_by_the_same_command(
    first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    publish(first, TARGET)
    done: list[str] = []

    def stop(uri: str) -> None:
        done.append(uri)
        if len(done) == writes:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        after_each_write(patched, stop)
        with pytest.raises(KeyboardInterrupt):
            publish(better, TARGET, force=True)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)
    after_each_write(monkeypatch, done.append)
    uri = publish(better, TARGET, force=True)
    assert len(done) == len(set(done)) == 8
    for each in (uri, TARGET):
        assert revision(each, tmp_path / "reader") == revision(better, tmp_path)


@pytest.mark.parametrize("place", ["s3", "folder"])
def test_a_revision_is_never_written_again(first: str, tmp_path: Path, place: str) -> None:
    target = TARGET if place == "s3" else str(tmp_path / "published")
    publish(first, target)
    before = published_in(target)
    evaluate_again(first)
    uri = publish(first, target)
    after = published_in(target)
    assert {name: content for name, content in after.items() if name in before and name != MANIFEST_FILE} == {
        name: content for name, content in before.items() if name != MANIFEST_FILE
    }
    assert len(after) == 2 * len(before) - 1
    assert b"more photos" in (resolve(target, tmp_path / "reader").path / "metrics.json").read_bytes()
    assert resolve(uri, tmp_path / "reader").revision == revision(first, tmp_path)  # which tells answers apart


@pytest.mark.parametrize("place", ["s3", "folder"])
@pytest.mark.parametrize("at", ["the first time", "later"])
def test_of_two_that_publish_at_once_one_is_told(
    first: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, at: str
) -> None:
    target = TARGET if place == "s3" else str(tmp_path / "published")
    if at == "later":
        publish(first, target)
    evaluate_again(first)

    def overtake(uri: str) -> None:
        if Path(uri).name == "config.json":
            patched.undo()
            publish(first, target)

    with monkeypatch.context() as patched:
        after_each_write(patched, overtake)
        with pytest.raises(InputError, match="somebody else has published to .* meanwhile.*Publish again, to compare yours with theirs"):
            publish(better, target, force=True)
    assert revision(target, tmp_path / "reader") == revision(first, tmp_path)
    uri = publish(better, target, force=True)
    assert resolve(uri, tmp_path / "reader").revision == revision(target, tmp_path / "reader") == revision(better, tmp_path)


def test_two_that_publish_the_same_do_not_disturb_each_other(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtake(uri: str) -> None:
        patched.undo()
        publish(first, TARGET)

    with monkeypatch.context() as patched:
        after_each_write(patched, overtake)
        publish(first, TARGET)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)


def test_another_file_in_the_place_of_a_published_one_stays_and_is_told(first: str, s3: S3Server, tmp_path: Path) -> None:
    key = publish(first, TARGET).removeprefix("s3://models/")
    s3.put("models", f"{key}decision.json", b"{}")
    with pytest.raises(CheckpointError, match=r"decision.json is not the one that manifest.json describes"):
        resolve(TARGET, tmp_path / "reader")
    with pytest.raises(
        InputError, match="another decision.json is there, and what was published is never written again. Delete that folder"
    ):
        publish(first, TARGET)
    storage.delete_folder(f"{TARGET}/{PurePosixPath(key).name}")
    publish(first, TARGET)
    assert revision(TARGET, tmp_path / "reader") == revision(first, tmp_path)


def test_publishing_again_writes_nothing(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = publish(first, TARGET)
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    assert publish(first, TARGET) == uri
    assert written == []


def test_a_folder_with_files_of_another_checkpoint_is_refused(first: str, tmp_path: Path) -> None:
    uri = publish(first, str(tmp_path / "published"))
    Path(uri, "model.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"model.safetensors.index.json: not in manifest.json, so left over"):
        resolve(str(tmp_path / "published"), tmp_path)


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
    s3.put("models", f"{publish(first, TARGET).removeprefix('s3://models/')}decision.json", b"{}")
    with pytest.raises(InputError, match=r"cannot be compared with the one there \(.*decision.json is not the one that"):
        publish(better, TARGET, women)
    publish(better, TARGET, women, force=True)
    assert "decision.json" in forced(TARGET)[0]


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


def test_the_manifests_name_every_file_and_are_written_last(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    after_each_write(monkeypatch, written.append)
    uri = publish(first, TARGET)
    assert written[-2:] == [f"{uri}{MANIFEST_FILE}", f"{TARGET}/{MANIFEST_FILE}"]
    for each in written[-2:]:
        assert set(json.loads(storage.read_bytes(each))["files"]) == {path.name for path in Path(first).iterdir()}

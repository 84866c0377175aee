import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ray

from serve_app.checkpoints import CheckpointError, resolve
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH, write_tiny_detector
from tests.support.s3 import S3Server
from tests.support.tuning import TinySearch
from tests.tune.conftest import CPUS
from tune_training.data.manifest import Manifest, read_manifest, write_manifest
from tune_training.io.errors import InputError
from tune_training.tune import experiment as module
from tune_training.tune.experiment import BUDGET_FILE
from tune_training.tune.options import Method
from tune_training.tune.result import RESULT_FILE, TuneResult, read_result
from tune_training.tune.search import tune


def test_the_best_model_is_one_that_serving_loads(searched: tuple[Path, TuneResult], tmp_path: Path) -> None:
    folder, result = searched
    classifier = Classifier.load(resolve(str(folder / "best"), tmp_path), ON_TORCH)
    assert classifier.crop_spec.size == 32
    assert {file.name for file in (folder / "best").iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "decision.json",
    }
    assert result.winner.metrics["balanced_accuracy"] >= 0.5


def test_the_original_is_tried_and_runs_to_its_end(searched: tuple[Path, TuneResult], tiny: TinySearch) -> None:
    _, result = searched
    assert result.original is not None
    assert result.original.config == {"learning_rate": 1e-3, "augmentation": 0.0, "mixup": 0.0}
    assert result.original.epochs_run == tiny.epochs


def test_the_winner_is_retrained_on_all_photos_and_kept_only_if_it_is_better(searched: tuple[Path, TuneResult]) -> None:
    _, result = searched
    assert result.photos == {"search": 20, "train": 40, "val": 16}
    assert result.retrained is not None
    better = result.retrained.metrics["balanced_accuracy"] > result.winner.metrics["balanced_accuracy"]
    assert result.kept == ("retrain" if better else "search")
    assert ("better, and kept" in result.summary()) == better


def test_the_trials_are_told_as_a_table_a_picture_and_for_tensorboard(searched: tuple[Path, TuneResult]) -> None:
    folder, result = searched
    table = pd.read_csv(folder / "trials.csv")
    assert table.groupby("trial").ngroups == result.trials == 3
    assert table["original"].sum() == 4
    assert (folder / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((folder / "search").rglob("events.out.tfevents.*"))) == 3


def test_ended_trials_keep_no_state_to_go_on_from(searched: tuple[Path, TuneResult]) -> None:
    folder, _ = searched
    assert list((folder / "search").rglob("model.safetensors"))
    assert not list((folder / "search").rglob("*.pt"))


def test_a_finished_search_is_not_run_again(searched: tuple[Path, TuneResult], tiny: TinySearch, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, result = searched

    def must_not_run(*_: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(module, "_search", must_not_run)
    assert tune(tiny.manifest, str(folder), tiny.options(subset=20)) == result == read_result(str(folder))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 5}, "trials changed \\(trials was 3 and is 5\\)"),
        ({"seed": 1}, "seed changed"),
        ({"subset": 0}, "subset changed \\(subset was 20 and is 0\\)"),
    ],
    ids=str,
)
def test_the_folder_of_another_search_is_refused(
    searched: tuple[Path, TuneResult], tiny: TinySearch, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=f"belongs to another search: {message}.*Choose another run directory"):
        tune(tiny.manifest, str(searched[0]), tiny.options(**{"subset": 20, **changed}))


def test_a_changed_search_space_or_photo_is_another_search(searched: tuple[Path, TuneResult], tiny: TinySearch, tmp_path: Path) -> None:
    other = tmp_path / "space.yaml"
    other.write_text(tiny.space.read_text().replace("1.0e-1", "1.0e-2"))
    with pytest.raises(InputError, match="another search: search space changed"):
        tune(tiny.manifest, str(searched[0]), tiny.options(subset=20, space=other))
    known = read_manifest(tiny.manifest)
    write_manifest(Manifest([replace(known.photos[0], sha256="x"), *known.photos[1:]], known.source), str(tmp_path / "m.parquet"))
    with pytest.raises(InputError, match="another search: photos changed"):
        tune(str(tmp_path / "m.parquet"), str(searched[0]), tiny.options(subset=20))


def test_a_search_whose_snapshot_was_cut_off_starts_anew_and_trains_nothing_again(
    searched: tuple[Path, TuneResult], tiny: TinySearch, tmp_path: Path
) -> None:
    folder, result = searched
    run = shutil.copytree(folder, tmp_path / "run")
    (run / RESULT_FILE).unlink()
    for snapshot in (run / "search").glob("experiment_state-*.json"):
        snapshot.write_bytes(snapshot.read_bytes()[:1000])
    assert tune(tiny.manifest, str(run), tiny.options(subset=20)).original == result.original
    before, after = (pd.read_csv(each / "trials.csv") for each in (folder, run))
    assert set(after["ended"]) <= set(before["ended"])
    assert after.groupby("name").ngroups == result.trials


def test_a_search_whose_time_is_spent_does_not_begin(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    (tmp_path / BUDGET_FILE).write_text('{"limit_s": 9, "spent_s": 60}')
    with pytest.raises(InputError, match="no trial came to an end: the time budget ended before the first epoch"):
        tune(tiny.manifest, str(tmp_path), tiny.options(minutes=1))


def test_everything_may_lie_in_s3(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    cluster.client.create_bucket(Bucket="training")
    for file in (tiny.folder / "photos").iterdir():
        cluster.put("training", f"photos/{file.name}", file.read_bytes())
    known = read_manifest(tiny.manifest)
    rows = [replace(row, sha256=f"s3 {row.name}") for row in known.photos]
    write_manifest(Manifest(rows, "s3://training/photos"), "s3://training/data/manifest.parquet")
    result = tune("s3://training/data/manifest.parquet", "s3://training/runs/one", tiny.options(trials=1))
    assert result == read_result("s3://training/runs/one")
    Classifier.load(resolve("s3://training/runs/one/best", tmp_path), ON_TORCH)


def test_optuna_proposes_points_after_the_original(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    result = tune(tiny.manifest, str(tmp_path), tiny.options(method=Method.OPTUNA, trials=2))
    assert result.trials == 2
    assert result.original is not None
    assert result.retrained is None or result.winner.epochs_run < result.winner.epochs_planned


def test_where_nothing_varies_the_fixed_numbers_are_tried_beside_the_original(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("original: {epochs: 1}\nsearch: {epochs: 2, learning_rate: 1.0e-3}")
    result = tune(tiny.manifest, str(tmp_path / "run"), tiny.options(space=tmp_path / "s.yaml"))
    table = pd.read_csv(tmp_path / "run" / "trials.csv")
    assert table.groupby("trial")["epoch"].max().tolist() == [1, 2]
    assert result.original is not None
    assert (result.trials, result.original.epochs_run) == (2, 1)


def without(manifest: str, folder: Path, *, label: str, split: str) -> str:
    known = read_manifest(manifest)
    rows = [row for row in known.photos if (row.label, row.split) != (label, split)]
    write_manifest(Manifest(rows, known.source), str(folder / "less.parquet"))
    return str(folder / "less.parquet")


class TestBadInput:
    """Each is reported before any work starts: the run's folder stays empty."""

    @pytest.fixture(autouse=True)
    def nothing_is_started(self, store: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
        def must_not_run() -> None:
            raise AssertionError("Ray was started")

        monkeypatch.setattr(module, "ray_cluster", must_not_run)
        yield
        assert not list((tmp_path / "run").rglob("*.png"))

    @pytest.fixture
    def run(self, tmp_path: Path) -> str:
        return str(tmp_path / "run")

    def test_unknown_keys_of_the_search_space(self, tiny: TinySearch, run: str, tmp_path: Path) -> None:
        (tmp_path / "s.yaml").write_text("original: {}\nsearch: {dropout: {uniform: [0, 1]}}")
        with pytest.raises(InputError, match="unknown keys dropout; known are learning_rate"):
            tune(tiny.manifest, run, tiny.options(space=tmp_path / "s.yaml"))

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_one_label_only(self, tiny: TinySearch, run: str, tmp_path: Path, split: str) -> None:
        manifest = without(tiny.manifest, tmp_path, label="female", split=split)
        with pytest.raises(InputError, match=f"photos of '{split}' have one label; there is none of 'female'"):
            tune(manifest, run, tiny.options())

    def test_no_manifest(self, tiny: TinySearch, run: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="there is no such manifest"):
            tune(str(tmp_path / "none.parquet"), run, tiny.options())

    def test_a_start_that_is_no_classifier(self, tiny: TinySearch, run: str, tmp_path: Path) -> None:
        detector = write_tiny_detector(tmp_path / "detr")
        with pytest.raises(CheckpointError, match="transformers cannot load it .*DetrConfig"):
            tune(tiny.manifest, run, tiny.options(start=str(detector)))

    def test_a_start_that_is_not_there(self, tiny: TinySearch, run: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="there is no checkpoint in this folder"):
            tune(tiny.manifest, run, tiny.options(start=str(tmp_path / "none")))

    def test_more_frozen_layers_than_the_start_has(self, tiny: TinySearch, run: str, tmp_path: Path) -> None:
        (tmp_path / "s.yaml").write_text("original: {}\nsearch: {frozen_layers: {choice: [0, 9]}}")
        with pytest.raises(InputError, match="frozen_layers is 9, and .* has 2 layers"):
            tune(tiny.manifest, run, tiny.options(space=tmp_path / "s.yaml"))

    def test_an_image_size_that_is_no_multiple_of_the_patches(self, tiny: TinySearch, run: str) -> None:
        with pytest.raises(InputError, match="views of 30 pixels are not a multiple of 8"):
            tune(tiny.manifest, run, tiny.options(image_size=30))

    def test_no_such_bucket(self, tiny: TinySearch) -> None:
        with pytest.raises(InputError, match="there is no such bucket"):
            tune(tiny.manifest, "s3://nowhere/run", tiny.options())

    def test_not_enough_disk(self, tiny: TinySearch, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000, "total": 10**12}))
        with pytest.raises(InputError, match="are free on that disk"):
            tune(tiny.manifest, run, tiny.options())


def test_more_cpus_than_any_node_has_are_told_at_once(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a trial wants 64 CPUs and 0 GPUs, and the nodes have"):
        tune(tiny.manifest, str(tmp_path), tiny.options(cpus_per_trial=64))


def test_the_command_runs_on_the_cluster_that_ray_address_names(cluster: S3Server, tiny: TinySearch, tmp_path: Path) -> None:
    """As `ray job submit` starts it. A cluster started by the command would have too few CPUs for a trial."""
    command = [sys.executable, "-m", "tune_training", "tune", tiny.manifest, "--run-dir", str(tmp_path), "--space", str(tiny.space)]
    command += ["--start", tiny.start, "--trials", "1", "--cpus-per-trial", str(CPUS)]
    address = ray.get_runtime_context().gcs_address
    done = subprocess.run(command, env={**os.environ, "RAY_ADDRESS": address}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert read_result(str(tmp_path)) is not None


def test_photos_that_went_away_are_named(cluster: S3Server, tiny: TinySearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FAILURES", 0)
    known = read_manifest(tiny.manifest)
    rows = [replace(row, sha256=f"gone {row.name}", name=f"gone_{row.name}") for row in known.photos]
    write_manifest(Manifest(rows, known.source), str(tmp_path / "gone.parquet"))
    with pytest.raises(InputError, match=r"no trial came to an end: .*gone_train_.*can no longer be read"):
        tune(str(tmp_path / "gone.parquet"), str(tmp_path / "run"), tiny.options(trials=1))
    assert json.loads((tmp_path / "run" / "search.json").read_text())["trials"] == 1

"""The commands as users run them, in this process unless the process itself is tested."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForObjectDetection

from serve_app.checkpoints.card import sha256_of
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.settings import Settings, get_settings
from tests.support.checkpoints import write_tiny_classifier, write_tiny_detector
from tests.support.drawn_photos import write_people, write_portraits
from tests.support.service import ROOT
from tune_training.__main__ import COMMANDS, DETECTOR, main
from tune_training.data.manifest import Manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.data.table import read_table
from tune_training.evaluate.card import BEGIN, END, card_block
from tune_training.evaluate.card_tables import metrics_table

Argument = str | Path

HEAVY = ("torch", "transformers", "ray", "scipy", "sklearn", "cleanlab", "optuna", "pandas", "matplotlib", "openvino", "boto3")

COUNT = """
import json, sys
from tune_training.__main__ import main
lines, heavy = map(json.loads, sys.argv[1:])
for line in lines:
    sys.argv = ["tune_training", *line]
    try:
        main()
    except SystemExit:
        pass
    print("imported:", json.dumps([line, [name for name in heavy if name in sys.modules]]))
"""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Argument) -> None:
    """Runs a command that succeeds."""
    with pytest.raises(SystemExit) as ended:
        attempt(monkeypatch, *arguments)
    assert not ended.value.code


def attempt(monkeypatch: pytest.MonkeyPatch, *arguments: Argument) -> None:
    monkeypatch.setattr(sys, "argv", ["tune_training", *map(str, arguments)])
    main()


def error_of(monkeypatch: pytest.MonkeyPatch, *arguments: Argument) -> str:
    """The line that a failing command prints. (`sys.exit` with a text prints it and exits with code 1.)"""
    with pytest.raises(SystemExit) as ended:
        attempt(monkeypatch, *arguments)
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_portraits(tmp_path_factory.mktemp("portraits"), photos=2)


@pytest.fixture(scope="module")
def manifest(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of the portraits, each whole photo being the box."""
    root, path = str(portraits.parent), tmp_path_factory.mktemp("data") / "manifest.parquet"
    photos = [Photo(root, row.path, row.label, row.split, row.source, sha256=row.path) for row in read_table(str(portraits))]
    write_manifest(Manifest(photos, root), str(path))
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds one person in every photo, so the gate lets all photos through."""
    folder = write_tiny_detector(tmp_path_factory.mktemp("start-detector"), "deimv2", ("dog", "person"))
    model = AutoModelForObjectDetection.from_pretrained(folder, num_queries=1)
    with torch.no_grad():
        model.model.enc_bbox_head.layers[-1].bias[2:] += 3  # large boxes
        for head in model.model.decoder.class_embed:
            head.bias.zero_()  # no prior for rare objects
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_classifier(tmp_path_factory.mktemp("start-classifier"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, command, "--help")
    assert f"tune_training {command}" in capsys.readouterr().out


def test_the_commands_are_listed_in_the_order_of_the_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "--help")
    listed, _, of_the_detector = capsys.readouterr().out.partition(DETECTOR)
    assert re.findall(r"^│ ([a-z-]+) +[A-Z]", listed + of_the_detector, re.MULTILINE) == list(COMMANDS)
    assert "evaluate-detector" in of_the_detector and "evaluate-detector" not in listed
    assert "unless it is worse than the one published" in " ".join(listed.split())  # its module says so, and was not imported


def test_help_and_small_errors_import_nothing_heavy(tmp_path: Path) -> None:
    """All in one process, so what one line imports is seen after all later ones, too."""
    missing = "no/such/thing"
    lines = [
        ["--help"],
        ["--nonsense"],
        ["no-such-command"],
        *([name, "--help"] for name in COMMANDS),
        *([name, "--nonsense"] for name in COMMANDS),
        *([name, missing] for name in ("run", "prepare", "train", "tune", "predict", "evaluate-detector")),
        *([name, missing, missing] for name in ("evaluate", "publish", "label-noise")),
        ["tune", missing, "--metric", "f7"],
        ["tune", missing, "--space", missing],
        ["tune", missing, "--tracker", "nothing"],
        ["train-detector", "--start", missing, "--people", __file__],
    ]
    counted = subprocess.run(
        [sys.executable, "-c", COUNT, json.dumps(lines), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    found = [json.loads(line.partition("imported: ")[2]) for line in counted.stdout.splitlines() if line.startswith("imported: ")]
    assert found == [[line, []] for line in lines]


def test_libraries_show_their_warnings_alone() -> None:
    program = (
        "import logging\nfrom tune_training.__main__ import setup\nsetup()\nfor name in ('botocore.regions', 'tune_training.data'):\n"
        "    logging.getLogger(name).info('%s tells', name)\n    logging.getLogger(name).warning('%s warns', name)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = [line.partition(" ")[2] for line in ended.stderr.splitlines()]
    assert shown == ["botocore.regions warns", "tune_training.data tells", "tune_training.data warns"]


def test_defaults_are_shown_as_paths_from_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    run(monkeypatch, "publish", "--help")
    shown = capsys.readouterr().out
    assert "serve_app/weights/person-detector" in shown and str(ROOT) not in shown


def test_what_is_missing_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tune_training", "predict", "no/such-folder"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"error: '{tmp_path}/no/such-folder': there is no such folder. Write a folder, or s3://bucket/prefix/\n"


def test_a_missing_checkpoint_to_start_from_is_one_line(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_of(monkeypatch, "train-detector", "--start", "no/such-folder", "--people", people / "train.json")
    assert message == "error: no/such-folder: there is no such folder. Write a folder with a checkpoint, or hf://org/name"


def test_a_missing_model_to_judge_is_one_line(people: Path, portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "nothing"
    commands: list[list[Argument]] = [
        ["evaluate", missing, portraits, "--out", tmp_path],
        ["evaluate", write_tiny_classifier(tmp_path / "classifier"), portraits, "--detector", missing],
        ["evaluate-detector", people, "--detector", missing],
    ]
    for command in commands:
        assert str(missing) in error_of(monkeypatch, *command)


def test_a_model_that_is_no_folder_cannot_be_given_a_decision(people: Path, portraits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hf://org/vit: decision.json is written beside" in error_of(monkeypatch, "evaluate", "hf://org/vit", portraits, "--calibrate")
    choosing: list[Argument] = ["evaluate-detector", people, "--detector", "s3://bucket/model/", "--choose"]
    assert "s3://bucket/model/: decision.json is written beside the weights" in error_of(monkeypatch, *choosing)


def test_the_folder_of_another_run_is_one_line(people: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: list[Argument] = ["train-detector", "--start", detector, "--people", people / "train.json", "--run-dir", tmp_path]
    arguments += ["--batch-size", "8", "--image-size", "64", "--threads", "1"]
    run(monkeypatch, *arguments, "--epochs", "1")
    assert "training_state.pt belongs to a run with other settings" in error_of(monkeypatch, *arguments, "--epochs", "2")


def test_a_number_out_of_its_range_is_one_line(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_of(monkeypatch, "train", manifest, "--epochs", "0", "--layer-decay", "2")
    assert message == "error: epochs: Input should be greater than or equal to 1; layer_decay: Input should be less than or equal to 1"


def test_a_checkpoint_that_training_cannot_start_from_is_one_line(
    manifest: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no checkpoint in this folder" in error_of(monkeypatch, "train", manifest, "--start", tmp_path)
    assert "transformers cannot load it (Unrecognized configuration class" in error_of(monkeypatch, "train", manifest, "--start", detector)


def test_from_photos_to_model_cards(
    people: Path,
    portraits: Path,
    manifest: Path,
    detector: Path,
    classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    small: list[Argument] = ["--epochs", "1", "--batch-size", "4", "--threads", "1"]
    finding: list[Argument] = ["train-detector", "--start", detector, "--people", people / "train.json"]
    run(monkeypatch, *finding, "--image-size", "64", *small)
    finder = Path("runs/person-detector/checkpoint")
    assert str(finder) in capsys.readouterr().out

    telling: list[Argument] = ["train", manifest, "--start", classifier, "--photos-per-epoch", "8", "--image-size", "32"]
    run(monkeypatch, *telling, *small)
    teller = Path("runs/gender-classifier/checkpoint")
    assert str(teller) in capsys.readouterr().out

    counting: list[Argument] = ["evaluate-detector", people, "--detector", finder, "--threads", "1"]
    run(monkeypatch, *counting, "--choose", "--portraits", portraits)
    assert "people counted rightly: 33.3%" in capsys.readouterr().out
    assert DetectorDecision.read(finder).score_threshold < 0.8

    judging: list[Argument] = ["evaluate", teller, portraits, "--detector", finder, "--threads", "1", "--draws", "100"]
    judging += ["--split", "test", "--split", "val_lfw"]
    run(monkeypatch, *judging, "--choose-crop", "--calibrate")
    assert "val_lfw: 8 photos, answered 100.0%" in capsys.readouterr().out
    assert ClassifierDecision.read(teller).temperature > 0
    metrics = {folder: json.loads((folder / "metrics.json").read_text()) for folder in (finder, teller)}
    for folder, values in metrics.items():
        assert values["weights_sha256"] == sha256_of(folder / "model.safetensors")
    assert set(metrics[teller]["splits"]) == {"test", "val_lfw"}

    before = {file: file.read_bytes() for folder in (finder, teller) for file in folder.iterdir()}
    run(monkeypatch, *counting)
    run(monkeypatch, *judging)
    assert {file: file.read_bytes() for file in before} == before

    (finder / "MODEL_CARD.md").write_text(f"# A title\n{BEGIN}\n{END}\n")
    Path("README.md").write_text(f"# A title\n{BEGIN}\n{END}\n")
    run(monkeypatch, "model-card", "--detector", finder, "--classifier", teller)
    for folder, values in metrics.items():
        assert card_block(values) in (folder / "MODEL_CARD.md").read_text()
        assert metrics_table(values) in Path("README.md").read_text()

    run(monkeypatch, "publish", teller, "published/vit")
    assert f"serve deploy {Settings(_env_file=None).effective_serve_config}" in capsys.readouterr().out


def test_few_photos_are_told_of_and_trained_on_in_folds(
    manifest: Path,
    classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    command: list[Argument] = ["train", manifest, "--start", classifier, "--photos-per-epoch", "8", "--image-size", "32"]
    command += ["--epochs", "1", "--batch-size", "4", "--threads", "1"]
    with caplog.at_level(logging.INFO):
        run(monkeypatch, *command, "--run-dir", tmp_path / "once")
    assert "`train --folds 5` judges by all 16 photos of 'train' and 'val'" in caplog.text
    capsys.readouterr()
    run(monkeypatch, *command, "--run-dir", tmp_path / "folds", "--folds", "2")
    told = capsys.readouterr().out
    assert "Out of fold, on 16 photos: balanced accuracy" in told
    assert str(tmp_path / "folds" / "checkpoint") in told
    assert "one worker trains them" in error_of(monkeypatch, *command, "--folds", "2", "--workers", "2")


def test_suspicious_labels_are_proposed_once(
    manifest: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    command: list[Argument] = ["label-noise", classifier, manifest, "--out", tmp_path, "--image-size", "32", "--threads", "1"]
    run(monkeypatch, *command)
    assert "of 32 labels are suspicious" in capsys.readouterr().out
    assert (tmp_path / "corrections.csv").read_text().startswith("path,label,given_label,score\n")
    assert "corrections.csv is there already" in error_of(monkeypatch, *command)


def test_a_card_that_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_of(monkeypatch, "model-card", "--detector", tmp_path, "--classifier", tmp_path, "--readme", tmp_path / "README.md")
    assert "MODEL_CARD.md" in message

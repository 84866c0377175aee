"""OpenVINO gives PyTorch's answers, from an export that is made once, verified and cached; models it cannot run fall back to PyTorch."""

import importlib
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import EXPORTS, Checkpoint, CheckpointError, Entries, resolve
from serve_app.codes import Code
from serve_app.runtimes.base import Run, RunOptions, has_cuda
from serve_app.runtimes.openvino import ExportError, open_network
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, Settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.decoding import DecodeLimits
from serve_app.vision.detector import Detector
from serve_app.vision.golden import check_golden
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson
from serve_app.vision.pipeline import Outcome, Pipeline
from tests.support.checkpoints import DetectorKind, write_tiny_classifier, write_tiny_detector

SCENES, PORTRAITS = 30, 70


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder of exported networks."""
    return tmp_path_factory.mktemp("cache")


def noise(height: int, width: int, seed: int = 0) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def detectors(folder: Path, kind: DetectorKind) -> tuple[Detector, Detector]:
    """A tiny detector in OpenVINO and in PyTorch."""
    checkpoint = resolve(str(write_tiny_detector(folder / kind, kind, ("person", "head"), signal=True)), folder)
    options = [RunOptions("cpu", runtime, 1, folder) for runtime in ("openvino", "torch")]
    on_openvino, on_torch = (Detector.load(checkpoint, each, {"score_threshold": 0.0, "head_threshold": 0.0}) for each in options)
    return on_openvino, on_torch


@pytest.mark.parametrize("kind", ["detr", "rt_detr", "deimv2"])
def test_every_kind_finds_the_same_people_at_any_size_of_photo_and_batch(kind: DetectorKind, cache: Path) -> None:
    on_openvino, on_torch = detectors(cache, kind)
    for photos in ([noise(60, 80)], [noise(120, 60, 1), noise(60, 80, 2), noise(120, 60, 3)], [noise(50, 200, 4)] * 5):
        for one, other in zip(on_openvino(photos), on_torch(photos), strict=True):
            for scores in (body_scores, head_scores):
                assert scores(one) == pytest.approx(scores(other), abs=1e-4)
            assert head_scores(one) or kind == "detr"


def body_scores(people: Sequence[DetectedPerson]) -> list[float]:
    return sorted(person.score for person in people if person.body_found)


def head_scores(people: Sequence[DetectedPerson]) -> list[float]:
    return sorted(person.head.score for person in people if person.head)


def test_two_views_get_the_same_logits(cache: Path) -> None:
    checkpoint = resolve(str(write_tiny_classifier(cache / "two-views", views=("head", "person"))), cache)
    on_openvino, on_torch = (Classifier.load(checkpoint, RunOptions("cpu", runtime, 1, cache)) for runtime in ("openvino", "torch"))
    assert on_openvino.crop_spec == on_torch.crop_spec
    crops = [noise(64, 32, seed) for seed in range(3)]
    np.testing.assert_allclose(on_openvino.logits(crops), on_torch.logits(crops), atol=1e-3)


def test_the_embedded_models_answer_alike_on_many_photos(
    person_data: Path, gender_data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The design's bound: the same decisions, and probabilities within 5e-3. In int8 answers never contradict, and few become `unsure`."""
    settings = Settings(_env_file=None)
    limits = DecodeLimits.of(settings)
    scenes, portraits = (sorted(folder.rglob("test/**/*.jpg")) for folder in (person_data, gender_data))
    chosen = [*scenes[:: len(scenes) // SCENES][:SCENES], *portraits[:: len(portraits) // PORTRAITS][:PORTRAITS]]
    images = [path.read_bytes() for path in chosen]
    assert len(images) == SCENES + PORTRAITS

    def outcomes(runtime: Any, precision: Any = "float32") -> list[Outcome]:
        options = RunOptions("cpu", runtime, 2, cache, precision=precision)
        detector = Detector.load(resolve(EMBEDDED_DETECTOR, cache), options)
        pipeline = Pipeline(detector, Classifier.load(resolve(EMBEDDED_CLASSIFIER, cache), options), limits)
        return [outcome for start in range(0, len(images), 20) for outcome in pipeline(images[start : start + 20])]

    answered = 0
    exact = outcomes("torch")
    for one, other in zip(outcomes("openvino"), exact, strict=True):
        assert (one.code, one.prediction, len(one.people)) == (other.code, other.prediction, len(other.people))
        assert (one.probabilities or {}) == pytest.approx(other.probabilities or {}, abs=5e-3)
        answered += one.code is Code.OK
    assert answered > len(images) / 3

    monkeypatch.setattr("serve_app.runtimes.openvino._abilities", lambda: frozenset(["avx_vnni"]))
    both = list(zip(outcomes("openvino", "auto"), exact, strict=True))
    assert sum(one.code != other.code for one, other in both) <= 3
    assert all(one.prediction == other.prediction for one, other in both if one.prediction and other.prediction)


def test_a_large_network_is_in_memory_once_however_many_inferences_may_run(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads_of_each: list[int] = []

    def open_and_note(network: Path, threads: int) -> Run:
        threads_of_each.append(threads)
        return open_network(network, threads)

    def load() -> Classifier:
        threads_of_each.clear()
        return Classifier.load(classifier_of(cache, "large"), RunOptions("cpu", "openvino", 2, cache, at_once=2))

    monkeypatch.setattr("serve_app.runtimes.openvino.open_network", open_and_note)
    small, crops = load(), [noise(32, 32, seed) for seed in range(3)]
    assert threads_of_each == [2, 1, 1]
    monkeypatch.setattr("serve_app.runtimes.openvino.MOST_WEIGHTS_AT_ONCE", 0)
    large = load()
    assert threads_of_each == [2]
    np.testing.assert_allclose(large.logits(crops), small.logits(crops), atol=1e-4)


def classifier_of(cache: Path, folder: str) -> Checkpoint:
    return resolve(str(write_tiny_classifier(cache / folder)), cache)


def test_an_export_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, options = classifier_of(cache, "once"), RunOptions("cpu", "openvino", 1, cache)
    first = Classifier.load(checkpoint, options)([noise(32, 32)])
    monkeypatch.setattr(subprocess, "run", None)
    assert Classifier.load(checkpoint, options)([noise(32, 32)]) == first
    with pytest.raises(TypeError):
        Classifier.load(checkpoint, options, {"input_size": 48})  # another input size is another export
    with pytest.raises(TypeError):
        Classifier.load(replace(checkpoint, revision="another"), options)


def test_a_cache_that_cannot_be_written_costs_no_answer(cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    options = RunOptions("cpu", "openvino", 1, tmp_path / "file")
    assert Classifier.load(classifier_of(cache, "not-kept"), options)([noise(32, 32)])
    assert "is not kept" in caplog.text


def test_what_is_wrong_with_the_checkpoint_is_said_as_ever(tmp_path: Path) -> None:
    checkpoint = resolve(str(write_tiny_detector(tmp_path / "animals", labels=("cat", "dog"))), tmp_path)
    with pytest.raises(CheckpointError, match="it has no class 'person'") as refused:
        Detector.load(checkpoint, RunOptions(cache_dir=tmp_path))
    assert not isinstance(refused.value, ExportError)


def test_what_openvino_cannot_take_runs_on_pytorch(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Makes the export fail with a tolerance that no network meets, set in the export process."""
    wrapper = tmp_path / "python"
    wrapper.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys, serve_app.runtimes.openvino_export as export\n'
        "export.TOLERANCE = {'float32': -1.0}\n"
        'sys.exit(export.main(sys.argv[3:]))" "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    checkpoint = classifier_of(cache, "not-taken")
    with pytest.raises(ExportError, match="in OpenVINO, in float32, its outputs differ by"):
        Classifier.load(checkpoint, RunOptions("cpu", "openvino", 1, tmp_path))
    with caplog.at_level(logging.WARNING):
        assert Classifier.load(checkpoint, RunOptions("cpu", "auto", 1, tmp_path))([noise(32, 32)])
    assert "runs on PyTorch" in caplog.text


def test_an_export_that_dies_is_an_error_that_says_so(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ExportError, match="the export ended with status 1"):
        Classifier.load(classifier_of(cache, "dies"), RunOptions("cpu", "openvino", 1, tmp_path))


def test_an_export_that_hangs_is_ended_with_an_error_that_says_so(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hangs))
    options = RunOptions("cpu", "openvino", 1, tmp_path, export_deadline_s=0.1)
    with pytest.raises(ExportError, match=r"the export has not ended after 0.1 s. .*MODEL_RUNTIME=torch.*EXPORT_DEADLINE_S"):
        Classifier.load(classifier_of(cache, "hangs"), options)


def test_an_export_ends_with_the_process_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/unit/serve_app/runtimes/test_child_process.py shows how."""
    export = importlib.import_module("serve_app.runtimes.openvino_export")
    monkeypatch.setattr(export, "end_with_parent", lambda: sys.exit("this comes first"))
    with pytest.raises(SystemExit, match="this comes first"):
        export.main([])


def test_a_lock_that_is_held_for_ever_is_an_error_that_names_it(cache: Path, tmp_path: Path) -> None:
    options = RunOptions("cpu", "openvino", 1, tmp_path, export_deadline_s=0.01)
    with (
        Entries(tmp_path / EXPORTS, "classifier held").lock(),
        pytest.raises(ExportError, match="another process has held .*lock for more"),
    ):
        Classifier.load(classifier_of(cache, "held"), options)


def test_an_export_that_was_cut_short_is_made_again(cache: Path, tmp_path: Path) -> None:
    checkpoint, options = classifier_of(cache, "cut-short"), RunOptions("cpu", "openvino", 1, tmp_path)
    before = Classifier.load(checkpoint, options)([noise(32, 32)])
    (network,) = (tmp_path / EXPORTS).rglob("network.bin")
    network.write_bytes(b"")  # as files are that were not on the disk when the power went
    assert Classifier.load(checkpoint, options)([noise(32, 32)])[0] == pytest.approx(before[0], abs=1e-3)


def test_a_network_is_compiled_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, options = classifier_of(cache, "compiled"), RunOptions("cpu", "openvino", 1, tmp_path)
    first = Classifier.load(checkpoint, options)([noise(32, 32)])
    (network,) = (tmp_path / EXPORTS).rglob("network.xml")
    with monkeypatch.context() as patched:
        patched.setattr("serve_app.runtimes.openvino.ov.Core.compile_model", None)
        assert Classifier.load(checkpoint, options)([noise(32, 32)]) == first
        patched.setattr("serve_app.runtimes.openvino._abilities", lambda: frozenset(["another"]))
        with pytest.raises(TypeError):
            Classifier.load(checkpoint, options)
    (compiled,) = network.parent.glob("compiled-*")
    compiled.write_bytes(bytes(compiled.stat().st_size))  # damaged, at the right size
    assert Classifier.load(checkpoint, options)([noise(32, 32)])[0] == pytest.approx(first[0], abs=1e-3)


def test_a_replica_that_finds_the_export_does_without_torch_and_calls_nobody(cache: Path) -> None:
    checkpoint = classifier_of(cache, "no-torch")
    Classifier.load(checkpoint, RunOptions("cpu", "auto", 1, cache))
    program = (
        "import sys\nfrom pathlib import Path\nfrom serve_app.checkpoints import Checkpoint\n"
        "from serve_app.vision.classifier import Classifier\n"
        "from serve_app.runtimes import RunOptions\nuri, path, name, revision, cache = sys.argv[1:]\n"
        "Classifier.load(Checkpoint(uri, Path(path), name, revision), RunOptions('cpu', 'auto', 1, Path(cache)))\n"
        "print([name for name in ('torch', 'transformers', 'openvino_telemetry') if sys.modules.get(name)])"
    )
    arguments = [checkpoint.uri, str(checkpoint.path), checkpoint.name, checkpoint.revision, str(cache)]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_pixels_that_overflow_are_no_answer(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier.load(classifier_of(cache, "once"), RunOptions("cpu", "openvino", 1, cache))
    monkeypatch.setattr(classifier, "_run", lambda pixels: (np.full((1, 2), np.nan, dtype=np.float32),))
    with pytest.raises(FloatingPointError, match="not finite"):
        classifier([noise(32, 32)])


def test_a_gpu_is_for_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_cuda("cuda")
    assert not has_cuda("cpu")
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2.13.0+cpu")
    assert not has_cuda("auto")


@pytest.mark.parametrize(("kind", "uri"), [(Classifier, EMBEDDED_CLASSIFIER), (Detector, EMBEDDED_DETECTOR)])
def test_the_embedded_models_pass_their_self_test(
    kind: type[Classifier] | type[Detector], uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the exports that `make setup` has cached."""
    options = RunOptions.of(Settings(_env_file=None, model_runtime="openvino"), 1)
    with caplog.at_level(logging.INFO):
        check_golden(kind.load(resolve(uri, options.cache_dir), options))
    assert "has passed its self-test" in caplog.text

"""Makes the int8 network of a classifier, which processors with VNNI run in half the time (see `serve_app.runtimes.openvino`).

NNCF watches the values between the layers on some training photos, and needs no further training (post-training quantisation). What it
makes is kept only if it answers like the original: it is compared with it on the photos of a split that neither has seen.
"""

import logging
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from serve_app.checkpoints import CARD_FILE, INT8_FILES, METRICS_FILE, resolve
from serve_app.checkpoints.card import weights_sha256
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.base import FEMALE, RunOptions
from serve_app.settings import get_settings
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import crop_person
from serve_app.vision.images import RGB
from tune_training.data.labelled_photos import sample_by_source
from tune_training.data.manifest import TEST, TRAIN, read_manifest
from tune_training.data.photo import Photo
from tune_training.data.pixels import read_pixels
from tune_training.evaluate.calibration import expected_calibration_error, probability_of_female
from tune_training.evaluate.card import card_of
from tune_training.evaluate.metrics_file import INT8, Metrics, to_json
from tune_training.evaluate.scores import balanced_accuracy
from tune_training.io import storage
from tune_training.io.batches import batches
from tune_training.io.errors import InputError
from tune_training.io.models import is_unpublished
from tune_training.publish import check_judged

if TYPE_CHECKING:
    import openvino as ov

logger = logging.getLogger(__name__)

WATCHED = 480  # training photos, as many of each source
FIRST_LAYERS = 0.18  # share of the layers with weights; of a ViT with twelve blocks, the patches and two blocks
OTHER_LABEL = 0.005  # most answers of a source that may get the other label; of fewer than 200 photos, one may
WORSE_ACCURACY = 0.003  # balanced accuracy, at most
WORSE_ECE = 0.005


def quantise(
    model: Annotated[str, typer.Argument(help="Folder or s3:// prefix of an evaluated classifier that is not published yet.")],
    manifest: Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")],
    split: Annotated[str, typer.Option(help="The split whose photos compare it with the original.")] = TEST,
) -> Metrics:
    """Make an int8 network of a classifier, beside its weights: on processors with VNNI it takes half the time.

    It is kept if it answers like the original, and `publish` takes it along. Other processors, and GPUs, run the original.
    """
    if not is_unpublished(model):
        raise InputError(
            f"{model}: the int8 network is written beside the weights, so this must be a folder or prefix that is not published"
        )
    checkpoint = resolve(model, get_settings().model_cache_dir)
    judged = check_judged(checkpoint)
    table = read_manifest(manifest)
    training, compared = table.split(TRAIN), table.split(split)
    watched = sample_by_source(training, -(-WATCHED // len({photo.source for photo in training})))

    from serve_app.runtimes import openvino  # takes a second, which `--help` and mistakes save

    nncf = _nncf()  # after `runtimes.openvino`, which turns telemetry off
    decision = ClassifierDecision.read(checkpoint.path)
    options = RunOptions(cache_dir=get_settings().model_cache_dir, precision="float32")
    runtime = openvino.load("classifier", checkpoint, decision.input_size, options)
    original = Classifier(runtime, decision, checkpoint)
    exported = openvino.exported("classifier", checkpoint, decision.input_size, options, openvino.FLOAT32)
    with tempfile.TemporaryDirectory() as scratch:
        made = [Path(scratch) / name for name in INT8_FILES]
        crops = [
            crop_person(read_pixels(photo), photo.person, original.crop_spec)
            for part in batches(watched, doing="watching")
            for photo in part
        ]
        _make(nncf, exported / openvino.NETWORK_FILE, crops, weights_sha256(checkpoint.path), made[0])
        in_int8 = replace(runtime, run=openvino.open_network(made[0], threads=0), precision=openvino.INT8)
        quantised = Classifier(in_int8, decision, checkpoint)
        found = _compare(original, quantised, compared)
        if faults := found.faults():
            raise InputError(f"{model}: there will be no int8 network, because it answers otherwise: {'; '.join(faults)}")
        for path in made:
            storage.write_bytes(storage.join(model, path.name), path.read_bytes())
    now = resolve(model, get_settings().model_cache_dir)
    metrics = {**judged, "revision": now.revision, INT8: found.to_metrics(split)}
    storage.write_bytes(storage.join(model, METRICS_FILE), to_json(metrics).encode())
    card = storage.join(model, CARD_FILE)
    storage.write_bytes(card, card_of(now, metrics, storage.read_bytes(card).decode()).encode())
    typer.echo(f"Written: {', '.join(INT8_FILES)}. {found}")
    return metrics


@dataclass(frozen=True)
class Parity:
    """The answers of both networks about n photos.

    Attributes:
        sources: of the photos.
        female: (n,) bool, their labels.
        margins: (2, n), the logit of female less that of male; of the original, and in int8.
        temperature, min_confidence: of the decision.
    """

    sources: Sequence[str]
    female: NDArray[np.bool_]
    margins: NDArray[np.float64]
    temperature: float
    min_confidence: float

    @property
    def other_label(self) -> NDArray[np.bool_]:
        """(n,): where they do not say the same."""
        says = self.margins > 0
        other: NDArray[np.bool_] = says[0] != says[1]
        return other

    @property
    def given(self) -> NDArray[np.bool_]:
        """(2, n): what they are not unsure of."""
        female = probability_of_female(self.margins, self.temperature)
        return np.maximum(female, 1 - female) >= self.min_confidence

    def faults(self) -> list[str]:
        """What speaks against the int8 network, for people."""
        faults = []
        for source, (photos, other) in self._by_source().items():
            if other > max(1, OTHER_LABEL * photos):
                faults.append(f"it gives {other} of {photos} photos of {source or 'the split'} the other label")
        if self.min_confidence and (opposite := int((self.other_label & self.given.all(axis=0)).sum())):
            faults.append(f"{opposite} photos get the other answer, and both are sure")
        before, after = self._accuracies()
        if after < before - WORSE_ACCURACY:
            faults.append(f"its balanced accuracy is {after:.1%} instead of {before:.1%}")
        before, after = self._errors()
        if after > before + WORSE_ECE:
            faults.append(f"its expected calibration error is {after:.1%} instead of {before:.1%}")
        return faults

    def to_metrics(self, split: str) -> dict[str, Any]:
        """What `metrics.json` says of it; pairs are of the original, and in int8."""
        given = self.given
        return {
            "split": split,
            "photos": len(self.sources),
            "other_label": float(self.other_label.mean()),
            "other_outcome": float((self.other_label & given.any(axis=0) | (given[0] != given[1])).mean()),
            "balanced_accuracy": list(self._accuracies()),
            "ece": list(self._errors()),
        }

    def __str__(self) -> str:
        before, after = self._accuracies()
        other, photos = int(self.other_label.sum()), len(self.sources)
        return f"Of {photos} photos, {other} get the other label; balanced accuracy {after:.2%}, before {before:.2%}"

    def _by_source(self) -> dict[str, tuple[int, int]]:
        names = np.array(self.sources)
        return {name: (int((names == name).sum()), int(self.other_label[names == name].sum())) for name in sorted(set(self.sources))}

    def _accuracies(self) -> tuple[float, float]:
        before, after = (float(balanced_accuracy(self.female, margins)) for margins in self.margins)
        return before, after

    def _errors(self) -> tuple[float, float]:
        before, after = (self._error(margins) for margins in self.margins)
        return before, after

    def _error(self, margins: NDArray[np.float64]) -> float:
        female = probability_of_female(margins, self.temperature)
        return float(expected_calibration_error(np.maximum(female, 1 - female), (margins > 0) == self.female))


def _make(nncf: Any, network: Path, crops: Sequence[RGB], weights: str, target: Path) -> None:
    """Quantises a network in OpenVINO's format; `weights` is the digest of what it was made of."""
    import openvino as ov

    from serve_app.runtimes.openvino_export import MADE_OF

    model = ov.Core().read_model(network)
    with redirect_stdout(sys.stderr):  # its progress
        quantised = nncf.quantize(
            model,
            nncf.Dataset([crop[None] for crop in crops]),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(crops),
            ignored_scope=nncf.IgnoredScope(names=_in_float32(model)),
        )
    quantised.set_rt_info(weights, MADE_OF)
    ov.save_model(quantised, target, compress_to_fp16=False)


def _in_float32(model: "ov.Model") -> list[str]:
    """The first layers, whose errors go through all others, and the last. With them in int8, the difference is twice as large."""
    layers = [each.get_friendly_name() for each in model.get_ordered_ops() if each.get_type_name() in ("Convolution", "MatMul")]
    return [*layers[: max(1, round(FIRST_LAYERS * len(layers)))], layers[-1]]


def _nncf() -> Any:
    try:
        import nncf
    except ModuleNotFoundError as error:
        if error.name != "nncf":
            raise
        raise InputError("`quantise` needs NNCF, which is not installed: .venv/bin/pip install 'nncf>=3.4,<4'") from error
    nncf.set_log_level(logging.WARNING)
    return nncf


def _compare(original: Classifier, quantised: Classifier, photos: Sequence[Photo]) -> Parity:
    margins: list[NDArray[np.float64]] = []
    for part in batches(photos, doing="comparing"):
        crops = [crop_person(read_pixels(photo), photo.person, original.crop_spec) for photo in part]
        margins.append(np.stack([each.margins(each.logits(crops)) for each in (original, quantised)]))
    return Parity(
        [photo.source for photo in photos],
        np.array([photo.label == FEMALE for photo in photos]),
        np.concatenate(margins, axis=1),
        original.decision.temperature,
        original.decision.min_confidence,
    )

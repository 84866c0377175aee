"""Exports a checkpoint's network for OpenVINO: `python -m serve_app.runtimes.openvino_export`, run by `runtimes.openvino`.

The exported network, as it is served, is compared with PyTorch's before it is kept, on pixels of another shape than the export's example:
one that gives other outputs is never served. An int8 network, which the checkpoint brings, is taken as it is, and may differ a little.
"""

import json
import shutil
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from serve_app.checkpoints import INT8_FILES, Checkpoint, CheckpointError
from serve_app.checkpoints.card import weights_sha256
from serve_app.runtimes.base import Floats, Precision, Role
from serve_app.runtimes.child_process import end_with_parent
from serve_app.runtimes.deformable import queries_last
from serve_app.runtimes.networks import Network, build
from serve_app.runtimes.openvino import (
    ADVICE,
    ERROR_FILE,
    FACTS_FILE,
    FLOAT32,
    INT8,
    NETWORK_FILE,
    ExportError,
    keep_compiled,
    open_network,
)

# isort: split
import openvino as ov  # after `runtimes.openvino`, which turns its telemetry off

PATCH = 40  # pixels
COMPARED_QUERIES = 10  # those with the highest scores
# Of scores, boxes and logits: differences of 1e-5 are usual, and with int8 of a tenth.
TOLERANCE: Mapping[Precision, float] = {FLOAT32: 1e-3, INT8: 1.0}
MADE_OF = ["weights_sha256"]  # where an int8 network says which weights it was made of

REMAKE = "Delete it, or make it anew: python -m tune_training quantise"

Pixels = NDArray[np.uint8]


def export(role: Role, checkpoint: Checkpoint, input_size: int | None, folder: Path, precision: Precision = FLOAT32) -> None:
    """Writes the network and its facts into an empty folder.

    Raises:
        ExportError: OpenVINO does not support it, or gives other outputs than PyTorch.
        CheckpointError: see `networks.build`.
    """
    network = build(role, checkpoint, input_size, torch.device("cpu"))
    if precision == INT8:
        _take_int8(checkpoint, folder / NETWORK_FILE)
    try:
        if precision == FLOAT32:
            _convert(network, folder / NETWORK_FILE)
        keep_compiled(folder / NETWORK_FILE)
        difference = _difference(network, folder / NETWORK_FILE)
    except Exception as error:  # each operator raises its own kinds
        raise ExportError(checkpoint.uri, f"OpenVINO cannot take it ({error})", ADVICE) from error
    if not difference <= TOLERANCE[precision]:
        raise ExportError(checkpoint.uri, f"in OpenVINO, in {precision}, its outputs differ by {difference:.2g}", ADVICE)
    (folder / FACTS_FILE).write_text(network.facts.model_dump_json(), encoding="utf-8")


def _take_int8(checkpoint: Checkpoint, target: Path) -> None:
    network, weights = (checkpoint.path / name for name in INT8_FILES)
    try:
        model = ov.Core().read_model(network)
        made_of = model.get_rt_info(MADE_OF).astype(str) if model.has_rt_info(MADE_OF) else ""
    except RuntimeError as error:
        raise ExportError(checkpoint.uri, f"{network.name} cannot be read ({' '.join(str(error).split())})", REMAKE) from error
    if made_of != weights_sha256(checkpoint.path):
        raise ExportError(checkpoint.uri, f"{network.name} was made of other weights", REMAKE)
    shutil.copyfile(network, target)
    shutil.copyfile(weights, target.with_suffix(".bin"))


def _convert(network: Network, target: Path) -> None:
    height, width = network.facts.resize.exact or (-1, -1)
    with warnings.catch_warnings(), torch.no_grad(), queries_last(network.module):
        warnings.simplefilter("ignore")  # the tracer warns of each constant; `_difference` shows whether one matters
        converted = ov.convert_model(
            network.module,
            example_input=(torch.from_numpy(_pixels(network, 2, 240, 320)),),
            input=[ov.PartialShape([-1, height, width, 3])],
        )
    ov.save_model(converted, target, compress_to_fp16=False)


def _difference(network: Network, exported: Path) -> float:
    """Largest difference between the outputs of PyTorch and of OpenVINO."""
    pixels = _pixels(network, 1, 320, 240)
    with torch.inference_mode():
        expected = _rows([output.numpy() for output in network.module(torch.from_numpy(pixels))])
    differences = np.abs(expected[:, None] - _rows(open_network(exported, threads=0)(pixels))).max(axis=-1)
    # The closest query counts, not the one in the same place: queries whose scores nearly tie may change places.
    best = [differences[:COMPARED_QUERIES].min(axis=1), differences[:, :COMPARED_QUERIES].min(axis=0)]
    return float(np.max(best))


def _rows(outputs: Sequence[Floats]) -> Floats:
    """One photo's logits, as one row; or its queries by descending score, each a row of score and box."""
    rows = np.column_stack([output[0] for output in outputs]) if len(outputs) > 1 else outputs[0]
    return rows[np.argsort(-rows[:, 0], kind="stable")]


def _pixels(network: Network, photos: int, height: int, width: int) -> Pixels:
    # Patches, like objects in a photo. In noise all places score alike, and rounding decides which of them become queries.
    patches = np.random.default_rng(0).integers(0, 256, (photos, height // PATCH, width // PATCH, 3), dtype=np.uint8)
    return np.stack([network.facts.resize(photo) for photo in patches.repeat(PATCH, axis=1).repeat(PATCH, axis=2)])


def main(arguments: list[str]) -> int:
    """Exports a checkpoint. On failure, writes the reason to `error.json` and returns 1."""
    end_with_parent()
    role, precision, input_size, folder, uri, path, name, revision = arguments
    assert role == "detector" or role == "classifier"
    assert precision in (FLOAT32, INT8)
    checkpoint = Checkpoint(uri, Path(path), name, revision)
    try:
        export(cast(Role, role), checkpoint, int(input_size) or None, Path(folder), precision)
    except CheckpointError as error:
        reason = {"export": isinstance(error, ExportError), "problem": error.problem, "advice": error.advice}
        (Path(folder) / ERROR_FILE).write_text(json.dumps(reason), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

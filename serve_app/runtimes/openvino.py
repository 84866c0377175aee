"""Networks in OpenVINO, exported and compiled once (see `openvino_export`) and cached.

Inference is in float32, as in PyTorch: on processors with bfloat16 OpenVINO would use that by default, and detect other people. A
classifier may bring an int8 network along, which `tune_training quantise` has made of it and compared with it. Processors that multiply
bytes four at a time (VNNI) run it in half the time; on others it would gain nothing.
"""

import functools
import hashlib
import importlib.metadata
import json
import logging
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.checkpoints import EXPORTS, INT8_FILES, Checkpoint, CheckpointError, Entries, LockedError
from serve_app.runtimes.at_once import AtOnce
from serve_app.runtimes.base import Facts, Floats, Precision, Role, Run, RunOptions, Runtime
from serve_app.runtimes.child_process import run_child
from serve_app.settings import cores

# `import openvino` sends telemetry when this package is installed, and no data may leave this service. None makes its import fail, which
# OpenVINO tolerates.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # documented by the import system

import openvino as ov  # noqa: E402 - after the line above

logger = logging.getLogger(__name__)

EXPORT_VERSION = 5  # raise it when `networks` or `openvino_export` make another network of the same checkpoint
NETWORK_FILE, FACTS_FILE, ERROR_FILE = "network.xml", "facts.json", "error.json"
INT8: Precision = "int8"
FLOAT32: Precision = "float32"
MOST_WEIGHTS_AT_ONCE = 100_000_000
"""Bytes of weights above which no two inferences of a process run at the same time: one keeps all cores busy, and each takes them again."""
_QUICK_AT_INT8 = {"avx512_vnni", "avx_vnni", "amx_int8"}  # as Linux names them


class ExportError(CheckpointError):
    """OpenVINO cannot run this network; PyTorch can."""


def load(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions) -> Runtime:
    """Loads a checkpoint's network from the cache, exporting it first if needed.

    Raises:
        ExportError: it cannot be exported.
        CheckpointError: see `networks.build`.
    """
    if _takes_int8(role, checkpoint, options):
        try:
            runtime = _load(role, checkpoint, input_size, options, INT8)
            logger.info("%s runs in int8", checkpoint.name)
            return runtime
        except ExportError as error:
            logger.warning("%s runs in float32: %s", checkpoint.name, error.problem)
    return _load(role, checkpoint, input_size, options, FLOAT32)


def _takes_int8(role: Role, checkpoint: Checkpoint, options: RunOptions) -> bool:
    brought = role == "classifier" and all((checkpoint.path / name).is_file() for name in INT8_FILES)
    return brought and options.precision == "auto" and not _QUICK_AT_INT8.isdisjoint(_abilities())


def _load(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions, precision: Precision) -> Runtime:
    try:
        return _open(exported(role, checkpoint, input_size, options, precision), options, precision)
    except OSError as error:
        # Without a writable cache, each start exports again.
        logger.warning("the exported network of %s is not kept: %s", checkpoint.name, error.strerror)
        with tempfile.TemporaryDirectory() as scratch:
            _export(role, checkpoint, input_size, Path(scratch), options.export_deadline_s, precision)
            return _open(Path(scratch), options, precision)


def exported(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions, precision: Precision) -> Path:
    """The folder in the cache with `NETWORK_FILE` and `FACTS_FILE`. A lock lets only one of several processes export it.

    Raises:
        ExportError: it cannot be exported.
        CheckpointError: see `networks.build`.
        OSError: the cache cannot be written.
    """
    deadline_s = options.export_deadline_s
    versions = [importlib.metadata.version(package) for package in ("openvino", "torch", "transformers")]
    state = json.dumps([checkpoint.revision, input_size, EXPORT_VERSION, *versions])
    entries = Entries(options.cache_dir.expanduser() / EXPORTS, f"{role} {checkpoint.name}{' int8' if precision == INT8 else ''}")
    try:
        with entries.lock(deadline_s):
            if found := entries.find(state):
                return found
            folder = entries.begin()
            _export(role, checkpoint, input_size, folder, deadline_s, precision)
            return entries.finish(folder, state)
    except LockedError as error:
        raise ExportError(checkpoint.uri, f"{error}, and may be exporting it", f"{ADVICE}, or a longer EXPORT_DEADLINE_S") from error


def open_network(network: Path, threads: int) -> Run:
    """A network in OpenVINO's format, on the CPU: as `keep_compiled` left it for this kind of processor, or compiled now.

    Args:
        threads: threads of one inference; 0: as many as there are cores.
    """
    return _compiled_before(network, threads) or _Network(ov.Core().compile_model(network, "CPU", _properties(threads)))


class _Network:
    """A `Run`, for one caller after the other. `memory` is what the model was read from, and stays as long as it."""

    def __init__(self, model: ov.CompiledModel, memory: NDArray[np.uint8] | None = None) -> None:
        self._request, self._outputs, self._memory = model.create_infer_request(), model.outputs, memory
        self._lock = threading.Lock()

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        with self._lock:
            outputs = self._request.infer([pixels])
            return tuple(outputs[port] for port in self._outputs)


def keep_compiled(network: Path) -> None:
    """Compiles a network and keeps the result beside it: `open_network` takes a third of the time then, and processes share its memory."""
    model = ov.Core().compile_model(network, "CPU", _properties(threads=0))
    _compiled_file(network).write_bytes(model.export_model().getbuffer())


def _compiled_before(network: Path, threads: int) -> _Network | None:
    path = _compiled_file(network)
    if not path.is_file():  # a cache may travel, as in an image, to a processor of another kind
        return None
    # OpenVINO takes writable memory only; what would be written stays in this process.
    content = np.memmap(path, dtype=np.uint8, mode="c")
    try:
        return _Network(ov.Core().import_model(ov.Tensor(content, shared_memory=True), "CPU", _properties(threads)), content)
    except RuntimeError as error:
        logger.warning("the network is compiled again, because the compiled one cannot be read: %s", error)
        return None


def _properties(threads: int) -> dict[str, object]:
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # replicas would all pin themselves to the first core
    }


def _compiled_file(network: Path) -> Path:
    # A network that is compiled for AVX-512 is not for a processor without.
    processor = f"{platform.machine()} {' '.join(sorted(_abilities()))}"
    return network.with_name(f"compiled-{hashlib.sha256(processor.encode()).hexdigest()[:12]}.blob")


@functools.cache
def _abilities() -> frozenset[str]:
    """What the processor can do beyond the least, as Linux names it; elsewhere nothing is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: the cache is this machine's own
        lines = []
    _, _, abilities = next((line for line in lines if line.startswith(("flags", "Features"))), "").partition(":")
    return frozenset(abilities.split())


def _open(folder: Path, options: RunOptions, precision: Precision) -> Runtime:
    facts = Facts.model_validate_json((folder / FACTS_FILE).read_text(encoding="utf-8"))
    network = folder / NETWORK_FILE
    alone = open_network(network, options.threads)
    if options.at_once == 1 or network.with_suffix(".bin").stat().st_size > MOST_WEIGHTS_AT_ONCE:
        return Runtime(alone, facts, precision)  # callers wait for each other
    # Of one compiled network, OpenVINO runs one request at a time, or decides itself by which thread asks.
    several = AtOnce(alone, options.threads or cores(), [open_network(network, threads=1) for _ in range(options.at_once)])
    return Runtime(several, facts, precision, several.warm)


def _export(role: Role, checkpoint: Checkpoint, input_size: int | None, folder: Path, deadline_s: float, precision: Precision) -> None:
    """Exports in a subprocess: this process never imports torch, and keeps answering requests meanwhile. It ends with this process."""
    arguments: Sequence[object] = (
        role,
        precision,
        input_size or 0,
        folder,
        checkpoint.uri,
        checkpoint.path,
        checkpoint.name,
        checkpoint.revision,
    )
    command = [sys.executable, "-m", "serve_app.runtimes.openvino_export", *map(str, arguments)]
    logger.info("exporting %s for OpenVINO, once", checkpoint.name)
    try:
        ended = run_child(command, deadline_s)
    except subprocess.TimeoutExpired:
        problem = f"the export has not ended after {deadline_s:g} s"
        raise ExportError(checkpoint.uri, problem, f"{ADVICE}, or a longer EXPORT_DEADLINE_S") from None
    if ended.returncode == 0:
        return
    try:
        failed = json.loads((folder / ERROR_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        last_words = ended.stderr.strip().splitlines()[-1:]
        raise ExportError(checkpoint.uri, f"the export ended with status {ended.returncode} {last_words}", ADVICE) from None
    kind = ExportError if failed["export"] else CheckpointError
    raise kind(checkpoint.uri, failed["problem"], failed["advice"])


ADVICE = "Set MODEL_RUNTIME=torch to run it on PyTorch"

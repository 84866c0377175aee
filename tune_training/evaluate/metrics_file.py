"""`metrics.json`: the metrics of a checkpoint, beside its weights."""

import json
import math
from pathlib import Path
from typing import Any

from serve_app.checkpoints import METRICS_FILE
from serve_app.checkpoints.card import weights_sha256
from tune_training.io.errors import InputError

Metrics = dict[str, Any]
INT8 = "int8"  # what `quantise` found about the int8 network


def to_json(metrics: Metrics) -> str:
    """The content of `metrics.json`."""
    return json.dumps(plain(metrics), indent=2) + "\n"


def write_metrics(folder: Path, metrics: Metrics, data: str) -> None:
    """Writes `metrics.json` with the digest of the evaluated weights and the name of the data."""
    document = {"weights_sha256": weights_sha256(folder), "data": data, **metrics}
    (folder / METRICS_FILE).write_text(to_json(document), encoding="utf-8")


def read_metrics(folder: Path) -> Metrics:
    """Reads `metrics.json`.

    Raises:
        InputError: it is missing, or no JSON object.
    """
    path = folder / METRICS_FILE
    if not path.exists():
        raise InputError(f"{path} is missing: python -m tune_training evaluate writes it")
    return parse_metrics(path.read_bytes(), str(path))


def parse_metrics(content: bytes, name: str) -> Metrics:
    """Reads the content of a `metrics.json`.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        metrics = json.loads(content)
    except ValueError as error:
        raise InputError(f"{name}: this is not JSON ({error})") from error
    if not isinstance(metrics, dict):
        raise InputError(f"{name}: this is no JSON object")
    return metrics


def plain(value: Any) -> Any:
    """The value as JSON has it: floats to four decimals, null for NaN and infinity, an `Estimate` as an object of value, low and high."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value

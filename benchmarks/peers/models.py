"""Shared by all peers: the two models of the environment, and the answer in the original's fields."""

import os
from pathlib import Path
from typing import Any

from benchmarks.bare import Loop, Runtime, load_loop
from benchmarks.checkpoints import ModelSet
from serve_app.codes import error_text
from serve_app.vision.pipeline import Outcome


def cores() -> int:
    """Cores to use."""
    return int(os.environ["PEER_CORES"])


def timeout_s() -> float:
    """Deadline of a photo, seconds: the service's own."""
    return float(os.environ["PEER_TIMEOUT_S"])


def load_models(threads: int) -> Loop:
    """Loads both models, to run in this process with `threads` threads."""
    models = ModelSet("of the environment", Path(os.environ["PEER_DETECTOR"]), Path(os.environ["PEER_CLASSIFIER"]), {})
    return load_loop(Runtime(os.environ["PEER_RUNTIME"]), models, threads)


def body(outcome: Outcome) -> dict[str, Any]:
    """The answer as JSON."""
    return {
        "prediction": outcome.prediction,
        "confidence": outcome.confidence,
        "person_count": len(outcome.people),
        "probabilities": outcome.probabilities,
        "error": error_text(outcome.code, len(outcome.people)),
    }

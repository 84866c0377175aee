"""Shared by all peers: the two models of the environment, and the answer in the original's fields."""

import os
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_loop import BareLoop
from serve_app.codes import error_text
from serve_app.settings import Settings
from serve_app.vision.decoding import DecodeLimits
from serve_app.vision.pipeline import Outcome


def cores() -> int:
    """Cores to use."""
    return int(os.environ["PEER_CORES"])


def timeout_s() -> float:
    """Deadline of a photo, seconds: the service's own."""
    return float(os.environ["PEER_TIMEOUT_S"])


def load_models(threads: int) -> BareLoop:
    """Loads both models, to run in this process with `threads` threads."""
    torch.set_num_threads(threads)
    settings = Settings(_env_file=None)
    limits = DecodeLimits.of(settings)
    return BareLoop(Path(os.environ["PEER_DETECTOR"]), Path(os.environ["PEER_CLASSIFIER"]), limits)


def body(outcome: Outcome) -> dict[str, Any]:
    """The answer as JSON."""
    return {
        "prediction": outcome.prediction,
        "confidence": outcome.confidence,
        "person_count": len(outcome.people),
        "probabilities": outcome.probabilities,
        "error": error_text(outcome.code, len(outcome.people)),
    }

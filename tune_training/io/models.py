"""The two models and the decoder, set up as the commands need them."""

import hashlib
import inspect
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app.checkpoints import MANIFEST_FILE, resolve
from serve_app.runtimes.base import RunOptions, has_cuda
from serve_app.settings import cores, get_settings
from serve_app.vision import cropping, detector, people
from serve_app.vision.classifier import Classifier
from serve_app.vision.decoding import DecodeLimits
from serve_app.vision.detector import Detector
from tune_training.io import storage

Threads = Annotated[int, typer.Option(help="Threads of torch; 0: one per core.")]


def load_detector(uri: str, threads: int = 0, overrides: Mapping[str, Any] | None = None) -> Detector:
    """The detector at a URI; `overrides` replace values of its decision.

    Raises:
        CheckpointError, DecisionError: it cannot be loaded.
    """
    return Detector.load(resolve(uri, get_settings().model_cache_dir), _options(threads), overrides)


def load_classifier(uri: str, threads: int = 0) -> Classifier:
    """The classifier at a URI.

    Raises:
        CheckpointError, DecisionError: it cannot be loaded.
    """
    return Classifier.load(resolve(uri, get_settings().model_cache_dir), _options(threads))


def _options(threads: int) -> RunOptions:
    """PyTorch always: OpenVINO and training in one process have crashed, and both give the same answers."""
    return RunOptions(get_settings().device, "torch", threads)


def is_unpublished(model: str) -> bool:
    """Whether files may be written beside the weights: they are in a folder or under an S3 prefix, and `publish` did not put them there.

    Raises:
        CheckpointError: the folder is missing.
    """
    there = storage.is_s3(model) or Path(model).is_dir()
    if not there and "://" not in model:
        resolve(model, get_settings().model_cache_dir)  # raises: a folder that is missing is told as such, not as one that was published
    return there and not storage.exists(storage.join(model, MANIFEST_FILE))


def set_threads(threads: int) -> None:
    """Threads of torch in this process; 0: one per core."""
    import torch  # takes a second, which commands without torch save

    torch.set_num_threads(threads or cores())


def decoding() -> str:
    """All that decides which pixels a photo becomes, beside its content: part of the keys of what is cached of photos."""
    return repr((decode_limits(), _versions("pillow", "pillow-heif")))


def network_versions() -> str:
    """All that decides what a network answers here, beside its files and its input: likewise."""
    return repr((has_cuda(get_settings().device), _versions("torch", "transformers")))


@cache
def person_rule() -> str:
    """A digest of the code that decides who counts in a photo and what is cropped: likewise, for what depends on these."""
    return hashlib.sha256("".join(map(inspect.getsource, (cropping, detector, people))).encode()).hexdigest()


@cache
def _versions(*packages: str) -> list[str]:
    return [version(package) for package in packages]


def decode_limits() -> DecodeLimits:
    """The limits of serving."""
    return DecodeLimits.of(get_settings())

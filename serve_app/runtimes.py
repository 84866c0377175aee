"""What runs a network: OpenVINO on CPUs, PyTorch on GPUs and wherever OpenVINO cannot. Both give the same answers.

On a CPU, OpenVINO gives 1.1 to 2 times the photos per second of eager PyTorch. It holds no interpreter lock while it computes, and a
replica that finds the exported network in the cache never imports torch, which takes time and memory (benchmarks/README.md).
"""

import importlib.metadata
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from serve_app.checkpoints import Checkpoint
from serve_app.resizing import ResizeSpec
from serve_app.settings import Device, RuntimeChoice, Settings

logger = logging.getLogger(__name__)

Role = Literal["detector", "classifier"]
Floats = NDArray[np.float32]
# Pixels (n, H, W, 3) uint8 to the network's outputs, each with n rows; to be called from one thread.
Run = Callable[[NDArray[np.uint8]], tuple[Floats, ...]]


class Facts(BaseModel):
    """What the caller of a network must know.

    Attributes:
        resize: how photos are resized for it.
        labels: names of the classifier's logits, in their order; of the detector, the one class that it is asked for.
    """

    model_config = ConfigDict(frozen=True)

    resize: ResizeSpec
    labels: tuple[str, ...]


@dataclass(frozen=True)
class RunOptions:
    """How a network is run.

    Attributes:
        device: auto, cpu or cuda.
        runtime: auto, openvino or torch. auto is OpenVINO on a CPU, and PyTorch when OpenVINO cannot take the network.
        threads: threads of one inference; 0: as many as there are cores.
        cache_dir: where networks that were exported for OpenVINO are kept.
    """

    device: Device = "cpu"
    runtime: RuntimeChoice = "auto"
    threads: int = 0
    cache_dir: Path = Path(Settings.model_fields["model_cache_dir"].default)

    @classmethod
    def of(cls, settings: Settings, threads: int = 0) -> Self:
        """As the settings say."""
        return cls(settings.device, settings.model_runtime, threads, settings.model_cache_dir)


@dataclass(frozen=True)
class Runtime:
    """A loaded network.

    Attributes:
        run: see `Run`.
        facts: see `Facts`.
    """

    run: Run
    facts: Facts


def load(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions) -> Runtime:
    """Loads a checkpoint into the runtime that the options name.

    Args:
        input_size: side of the square that photos are resized to instead of what the checkpoint says, pixels.

    Raises:
        CheckpointError: it cannot be loaded, or OpenVINO was asked for by name and cannot take it.
    """
    # Each runtime is imported when it is needed: torch takes seconds.
    if options.runtime != "torch" and not has_cuda(options.device):
        from serve_app import openvino_runtime

        try:
            return openvino_runtime.load(role, checkpoint, input_size, options)
        except openvino_runtime.ExportError as error:
            if options.runtime == "openvino":
                raise
            logger.warning("%s runs on PyTorch: %s", checkpoint.name, error)
    from serve_app import torch_runtime

    return torch_runtime.load(role, checkpoint, input_size, options)


def has_cuda(device: Device) -> bool:
    """Whether a model for this device runs on a GPU: with `auto`, when there is one."""
    # PyTorch's build for CPUs says so in its version, which costs no import.
    if device == "auto" and not importlib.metadata.version("torch").endswith("+cpu"):
        import torch

        return torch.cuda.is_available()
    return device == "cuda"

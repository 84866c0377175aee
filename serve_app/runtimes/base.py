"""What all runtimes share: what a network takes and gives, and what its caller must know of it."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from serve_app.runtimes.resizing import ResizeSpec
from serve_app.settings import Device, RuntimeChoice, Settings

Role = Literal["detector", "classifier"]
PERSON = "person"  # the class that a detector is asked for
FEMALE, MALE = "female", "male"
LABELS = (FEMALE, MALE)  # of a classifier; a checkpoint may have its logits in either order
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


def has_cuda(device: Device) -> bool:
    """Whether a model for this device runs on a GPU: with `auto`, when there is one."""
    # PyTorch's build for CPUs says so in its version, which costs no import.
    if device == "auto" and not importlib.metadata.version("torch").endswith("+cpu"):
        import torch

        return torch.cuda.is_available()
    return device == "cuda"

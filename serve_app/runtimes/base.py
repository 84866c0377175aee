"""What all runtimes share: the inputs and outputs of a network, and the facts about it that its caller needs."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from serve_app.runtimes.resizing import ResizeSpec
from serve_app.settings import Device, PrecisionChoice, RuntimeChoice, Settings

Role = Literal["detector", "classifier"]
Precision = Literal["float32", "int8"]
PERSON, HEAD = "person", "head"
CLASSES = (PERSON, HEAD)  # that a detector is used for, in the order of its scores; it may lack heads
FEMALE, MALE = "female", "male"
LABELS = (FEMALE, MALE)  # of a classifier; a checkpoint may have its logits in either order
Floats = NDArray[np.float32]
# Maps pixels (n, H, W, 3) uint8 to the network's outputs, each with n rows. Any thread may call it.
Run = Callable[[NDArray[np.uint8]], tuple[Floats, ...]]


class Facts(BaseModel):
    """What the caller of a network must know.

    Attributes:
        resize: how to resize its input.
        labels: the classifier's labels in the order of its logits; the detector's classes in the order of its scores: person and, if it
            has it, head.
    """

    model_config = ConfigDict(frozen=True)

    resize: ResizeSpec
    labels: tuple[str, ...]


@dataclass(frozen=True)
class RunOptions:
    """How a network is run.

    Attributes:
        device: auto, cpu or cuda.
        runtime: auto, openvino or torch. auto is OpenVINO on a CPU, unless OpenVINO cannot run the network.
        threads: threads of one inference; 0: as many as there are cores.
        at_once: inferences that may run at the same time. In OpenVINO, one that has the cores for itself takes all threads, others one.
        cache_dir: where networks exported for OpenVINO are cached.
        export_deadline_s: seconds that an export, or waiting for another process that makes it, may take.
        precision: auto or float32. auto is int8 where the checkpoint has such a network and the processor is quick at it.
    """

    device: Device = "cpu"
    runtime: RuntimeChoice = "auto"
    threads: int = 0
    cache_dir: Path = Path(Settings.model_fields["model_cache_dir"].default)
    export_deadline_s: float = Settings.model_fields["export_deadline_s"].default
    precision: PrecisionChoice = "auto"
    at_once: int = 1

    @classmethod
    def of(cls, settings: Settings, threads: int = 0, at_once: int = 1) -> Self:
        """The options that the settings name."""
        return cls(
            settings.device,
            settings.model_runtime,
            threads,
            settings.model_cache_dir,
            settings.export_deadline_s,
            settings.model_precision,
            at_once,
        )


@dataclass(frozen=True)
class Runtime:
    """A loaded network.

    Attributes:
        run: see `Run`.
        facts: see `Facts`.
        precision: float32 or int8.
        warm: as `run`, but with everything that a call may use, each in turn; None: `run` itself does.
    """

    run: Run
    facts: Facts
    precision: Precision = "float32"
    warm: Callable[[NDArray[np.uint8]], object] | None = None

    def warm_up(self, pixels: NDArray[np.uint8]) -> None:
        """Has the runtime prepare itself for inputs of this shape, which it does once for each."""
        (self.warm or self.run)(pixels)


def has_cuda(device: Device) -> bool:
    """Whether models run on a GPU: with `auto`, if there is one."""
    # The version of PyTorch's CPU build says so without the cost of importing torch.
    if device == "auto" and not importlib.metadata.version("torch").endswith("+cpu"):
        import torch

        return torch.cuda.is_available()
    return device == "cuda"

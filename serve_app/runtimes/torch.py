"""Networks in eager PyTorch: on GPUs, and where OpenVINO cannot run them."""

import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from serve_app.checkpoints import Checkpoint
from serve_app.runtimes.base import Floats, Role, RunOptions, Runtime, has_cuda
from serve_app.runtimes.networks import build

_loading = threading.Lock()  # transformers changes global state while it loads: of two at a time, one lacks weights, and later ones, too


def load(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions) -> Runtime:
    """Loads a checkpoint.

    Raises:
        CheckpointError: see `networks.build`.
    """
    device = torch.device("cuda" if has_cuda(options.device) else "cpu")
    with _loading:
        network = build(role, checkpoint, input_size, device)
    return Runtime(_Run(network.module, device, options.threads), network.facts)


class _Run:
    def __init__(self, module: nn.Module, device: torch.device, threads: int) -> None:
        self._module = module
        self._device = device
        self._threads = threads

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        # The count belongs to the calling thread, and setting it at each call is slow.
        if self._threads and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        outputs = self._module(torch.from_numpy(pixels).to(self._device))
        return tuple(output.cpu().numpy() for output in outputs)

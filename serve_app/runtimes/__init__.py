"""Runs networks: in OpenVINO on CPUs, in PyTorch on GPUs and where OpenVINO cannot run the network. Both give the same answers.

On a CPU, OpenVINO reaches 1.1 to 2 times the photos per second of eager PyTorch. It releases the GIL during inference, and a replica
that finds the exported network in the cache never imports torch, which would cost time and memory (benchmarks/README.md).
"""

import logging

from serve_app.checkpoints import Checkpoint
from serve_app.runtimes.base import Role, RunOptions, Runtime, has_cuda

logger = logging.getLogger(__name__)


def load(role: Role, checkpoint: Checkpoint, input_size: int | None, options: RunOptions) -> Runtime:
    """Loads a checkpoint into the runtime that the options name.

    Args:
        input_size: side of the square input, pixels; overrides the checkpoint's own size.

    Raises:
        CheckpointError: it cannot be loaded, or the options name OpenVINO and it cannot run the network.
    """
    # Imported on demand: torch takes seconds.
    if options.runtime != "torch" and not has_cuda(options.device):
        from serve_app.runtimes import openvino

        try:
            return openvino.load(role, checkpoint, input_size, options)
        except openvino.ExportError as error:
            if options.runtime == "openvino":
                raise
            logger.warning("%s runs on PyTorch: %s", checkpoint.name, error)
    from serve_app.runtimes import torch

    return torch.load(role, checkpoint, input_size, options)

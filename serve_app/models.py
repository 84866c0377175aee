"""What the two models have in common: loading weights safely, the device, the threads."""

from typing import Any

import numpy as np
import torch
from transformers import AutoImageProcessor, BaseImageProcessor, PreTrainedModel
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.cropping import RGB
from serve_app.settings import Device

transformers_logging.disable_progress_bar()  # half a second of bar, in the log of every replica


def pick_device(wanted: Device) -> torch.device:
    """CUDA when there is one, unless told otherwise."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def set_threads(threads: int) -> None:
    """Sets torch's thread count, once per process and before the first model: later changes cost more than they give."""
    torch.set_num_threads(threads)


def load_model(auto_class: Any, checkpoint: Checkpoint, device: torch.device, **options: Any) -> PreTrainedModel:
    """Loads weights (safetensors only) as float32 for the CPU, or as stored for CUDA, in eval mode.

    Raises:
        CheckpointError: transformers cannot load it, or weights are missing from it.
    """
    # Half-precision files would be computed in half precision, which CPUs do slowly: transformers 5 keeps the file's dtype.
    dtype = torch.float32 if device.type == "cpu" else "auto"
    try:
        model, report = auto_class.from_pretrained(
            checkpoint.path, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:
        raise CheckpointError(
            checkpoint.uri, f"transformers cannot load it ({error})", "Check config.json, or save the model again with `save_pretrained`"
        ) from error
    if missing := sorted(report["missing_keys"]):
        problem = f"its weights lack {len(missing)} parameters, such as {missing[0]}"
        raise CheckpointError(checkpoint.uri, problem, "Save the model again with `save_pretrained`")
    model = model.to(device).eval()
    if device.type == "cpu":
        model = model.to(memory_format=torch.channels_last)  # convolutions run 1.5 times as fast
    loaded: PreTrainedModel = model
    return loaded


def load_processor(checkpoint: Checkpoint) -> BaseImageProcessor:
    """Loads `preprocessor_config.json`.

    Raises:
        CheckpointError: there is none, or transformers does not know it.
    """
    try:
        # Pillow's processors: torchvision is not needed, and training and serving resize alike wherever they run.
        processor: BaseImageProcessor = AutoImageProcessor.from_pretrained(checkpoint.path, local_files_only=True, backend="pil")
    except Exception as error:
        raise CheckpointError(
            checkpoint.uri, f"preprocessor_config.json cannot be used ({error})", "Save the image processor again with `save_pretrained`"
        ) from error
    return processor


def blank_photo() -> RGB:
    """A grey photo to warm a model with."""
    return np.full((384, 512, 3), 127, dtype=np.uint8)

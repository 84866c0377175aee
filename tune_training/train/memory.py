"""How much memory training takes: what a trial of a search reserves, and into how many parts a batch is split on a processor."""

import torch

from tune_training.train.model import activation_bytes

WORKER_BYTES = 800_000_000  # Python with torch, transformers and Ray, and a batch of photos
# Of each parameter: itself, its gradient, its average and the two moments of AdamW, in float32; and the copy that becomes a checkpoint.
PARAMETER_BYTES = 5 * 4 + 6
PART_BYTES = 1_000_000_000  # of activations, on a processor; more at once are not faster there


def photos_at_once(start: str, image_size: int, device: torch.device) -> int:
    """How many photos a part of a batch has at most: as many as `PART_BYTES` allow. A GPU takes whole batches, which are fastest there."""
    return max(1, PART_BYTES // activation_bytes(start, image_size)) if device.type == "cpu" else 2**31


def training_bytes(start: str, image_size: int, parameters: int, batch_size: int) -> int:
    """Main memory of a process that trains, at most; on a GPU it is less."""
    of_photo = activation_bytes(start, image_size)
    return WORKER_BYTES + PARAMETER_BYTES * parameters + max(of_photo, min(batch_size * of_photo, PART_BYTES))

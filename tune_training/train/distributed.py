"""What the processes that train one model together have to agree on; one process alone agrees with itself.

They belong together if torch's default process group is set up, as Ray Train does (see `together`). Each computes the gradient of its share
of every batch, and DistributedDataParallel averages them (Li et al. 2020, PyTorch Distributed), so that all keep the same weights.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def processes() -> int:
    """How many there are."""
    return distributed.get_world_size() if _grouped() else 1


def rank() -> int:
    """The number of this one, from 0; the first writes and tells what is for all."""
    return distributed.get_rank() if _grouped() else 0


def synchronised(model: nn.Module) -> nn.Module:
    """The model as it is called in training: its gradients become the mean of those of all processes."""
    if not _grouped():
        return model
    # Some networks have parameters that classification does not use, such as the token that stands for masked patches.
    return DistributedDataParallel(model, find_unused_parameters=True)


def gradients_stay(model: nn.Module) -> AbstractContextManager[None]:
    """Around a forward pass whose gradients are not exchanged yet, because more of the same batch follow."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def share_of(batch: NDArray[np.int64]) -> NDArray[np.int64]:
    """What this process takes of a batch (n,): every so-manieth photo. Empty where there are fewer photos than processes."""
    return batch[rank() :: processes()]


def mean_of(value: float, device: torch.device) -> float:
    """The mean of the processes' values."""
    if not _grouped():
        return value
    total = torch.tensor(value, dtype=torch.float32, device=device)
    distributed.all_reduce(total)
    return float(total) / processes()


def first_says(answer: bool, device: torch.device) -> bool:
    """The answer of the first process; the others wait for it, and what they say does not matter."""
    if not _grouped():
        return answer
    said = torch.tensor(int(answer), device=device)
    distributed.broadcast(said, 0)
    return bool(said)


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()

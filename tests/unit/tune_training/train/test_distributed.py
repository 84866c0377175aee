"""Processes that train together: what each takes of a batch, and that the exchange of gradients changes nothing for one alone."""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, nn

from tune_training.train import distributed as module
from tune_training.train.distributed import first_says, gradients_stay, mean_of, processes, rank, share_of, synchronised
from tune_training.train.loop import LoopConfig, fit, seed_everything

DEVICE = torch.device("cpu")


def begin_group(file: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=0, world_size=1)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process."""
    begin_group(tmp_path / "first")
    yield
    distributed.destroy_process_group()


class Network(nn.Module):
    """Has a parameter that its answer does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(3, 1), nn.Parameter(torch.ones(2))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.used(rows)
        return found


def trained(model: Network, folder: Path) -> Network:
    """Three steps of a batch in two parts."""

    def losses(network: nn.Module, batch: torch.Tensor) -> Iterator[torch.Tensor]:
        with gradients_stay(network):
            first = network(batch[:5])
        yield (first - 1).square().sum() / len(batch)
        yield (network(batch[5:]) - 1).square().sum() / len(batch)

    def batches(epoch: int) -> Iterator[torch.Tensor]:
        return (torch.randn(8, 3) for _ in range(3))

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, optimizer, batches, losses, LoopConfig(epochs=1, steps_per_epoch=3, warmup_steps=0), folder)
    return model


@pytest.mark.filterwarnings("ignore:Grad strides")
def test_gradients_of_parts_and_of_unused_parameters_are_exchanged_whole(tmp_path: Path, group: None) -> None:
    seed_everything(0)
    start = Network()
    together = trained(copy.deepcopy(start), tmp_path / "together")
    distributed.destroy_process_group()
    alone = trained(copy.deepcopy(start), tmp_path / "alone")
    begin_group(tmp_path / "second")  # for the fixture to end
    torch.testing.assert_close(dict(together.state_dict()), dict(alone.state_dict()))
    assert not torch.equal(alone.used.weight, start.used.weight)


def test_a_group_of_one_says_what_one_process_says(group: None) -> None:
    assert (processes(), rank()) == (1, 0)
    assert mean_of(0.25, DEVICE) == 0.25
    assert first_says(True, DEVICE) is True and first_says(False, DEVICE) is False
    assert isinstance(synchronised(nn.Linear(2, 1)), nn.parallel.DistributedDataParallel)


def test_one_process_needs_no_group() -> None:
    model = nn.Linear(2, 1)
    assert (processes(), rank(), mean_of(0.1, DEVICE), first_says(True, DEVICE)) == (1, 0, 0.1, True)
    assert synchronised(model) is model


@pytest.mark.parametrize("photos", [1, 3, 8])
def test_each_photo_of_a_batch_is_in_one_share(photos: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, shares = np.arange(photos) + 10, []
    monkeypatch.setattr(module, "processes", lambda: 3)
    for each in range(3):
        monkeypatch.setattr(module, "rank", lambda each=each: each)
        shares.append(share_of(batch))
    assert sorted(np.concatenate(shares).tolist()) == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1

"""One training loop for both models: seeded, resumable after every epoch, with a moving average of the weights.

The exponential moving average (EMA; Polyak and Juditsky 1992) is what gets evaluated and published: with the few epochs that a laptop
affords, it is worth about as much as a longer schedule.

Several processes may run it together (see `distributed`): each has its share of every batch, and the first writes and reports.
"""

import copy
import logging
import math
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm
from transformers import BaseImageProcessor, PreTrainedModel

from tune_training.io.errors import InputError
from tune_training.train.distributed import first_says, mean_of, rank, synchronised

logger = logging.getLogger(__name__)

STATE_FILE = "training_state.pt"
READ_AHEAD = 2  # batches
RANK_SEEDS = 1_000_000  # from the seed of one process to that of the next: more than there are epochs

Part = TypeVar("Part")
Batch = TypeVar("Batch")
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class LoopConfig:
    """The loop's own numbers.

    Attributes:
        epochs: passes over the data.
        steps_per_epoch: optimizer steps in one pass.
        warmup_steps: steps of linear warm-up before the cosine decay to zero.
        clip_norm: largest norm of the gradient.
        ema_decay: decay of the weights' moving average, per step.
        seed: of everything random; epoch `e` uses `seed + e`, so that a resumed run sees what an unbroken one would.
        recipe: everything else that decides the result; a run is resumed only with the same.
    """

    epochs: int
    steps_per_epoch: int
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch(Generic[Model]):
    """A finished epoch.

    Attributes:
        number: epochs done, this one included.
        average: the model with the average of the weights, in eval mode.
        loss: mean training loss of its steps.
        seconds: how long it took.
    """

    number: int
    average: Model
    loss: float
    seconds: float


def read_ahead(read: Callable[[Part], Batch], parts: Iterable[Part]) -> Iterator[Batch]:
    """`map`, with the next batches read in a thread while the model works on one.

    Not in processes, as `torch.utils.data.DataLoader` has them: forking a process that runs PyTorch's threads is not safe.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for part in parts:
            waiting.append(pool.submit(read, part))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def learning_rate_factor(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then cosine decay to zero (Loshchilov and Hutter 2017)."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    total = config.epochs * config.steps_per_epoch
    progress = (step - config.warmup_steps) / max(1, total - config.warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def fit(
    model: Model,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[int], Iterable[Batch]],
    losses: Callable[[nn.Module, Batch], Iterable[torch.Tensor]],
    config: LoopConfig,
    run_dir: Path,
    *,
    on_epoch: Callable[[Epoch[Model]], Mapping[str, float]] | None = None,
    is_enough: Callable[[], bool] = lambda: False,
    last_epoch: int | None = None,
    scaler: torch.amp.GradScaler | None = None,
) -> Model:
    """Trains `model` and returns the average of its weights as a model.

    Args:
        model: trained in place, on the device where it is; `losses` sets its train/eval mode.
        optimizer: holds the base learning rate of every parameter group.
        batches: for an epoch's number, from 0, the batches of that epoch; of several processes, this one's share of each batch.
        losses: the loss of one batch, as scalars whose sum it is. Each is differentiated before the next is computed, so that a batch
            of several parts needs the memory of one. It gets the model, or what exchanges its gradients with other processes'; the loss
            of a whole batch is the mean of what its processes find.
        config: see `LoopConfig`.
        run_dir: gets `training_state.pt` after every epoch; training resumes from that file if it is there.
        on_epoch: called at the end of each epoch; what it returns is logged. A resumed run calls it again for the last finished epoch.
        is_enough: asked after `on_epoch`; ends the training before its last epoch.
        last_epoch: ends the training there, on the schedule of `config.epochs`.
        scaler: of the losses, for gradients in float16.

    Raises:
        InputError: `run_dir` holds the state of a run with another configuration.
        FloatingPointError: the loss is not finite.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    scaler = scaler or torch.amp.GradScaler(enabled=False)
    average = copy.deepcopy(model).eval()
    base_rates = [group["lr"] for group in optimizer.param_groups]
    device, is_first = next(model.parameters()).device, rank() == 0
    last = _resume(run_dir, model, average, optimizer, scaler, config)
    if last and on_epoch is not None:
        if is_first:
            on_epoch(last)  # the run may have been killed between saving the state and this call
        if first_says(is_first and is_enough(), device):
            return average
    network = synchronised(model)
    for number in range(last.number if last else 0, min(config.epochs, last_epoch or config.epochs)):
        seed_everything(config.seed + number + RANK_SEEDS * rank())
        started, total, step = time.monotonic(), 0.0, number * config.steps_per_epoch
        quiet = None if is_first else True
        bar = tqdm(batches(number), total=config.steps_per_epoch, desc=f"epoch {number + 1}/{config.epochs}", disable=quiet)
        for done, batch in enumerate(bar, start=1):
            optimizer.zero_grad(set_to_none=True)
            found = 0.0
            for value in losses(network, batch):
                found += value.item()
                scaler.scale(value).backward()
            found = mean_of(found, device)
            if not math.isfinite(found):
                raise FloatingPointError(f"the loss is {found} in epoch {number + 1}, step {done}")
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * learning_rate_factor(step, config)
            scaler.step(optimizer)  # skipped where a gradient was too large for float16; the scale is lowered then
            scaler.update()
            _update_average(average, model, config.ema_decay, step)
            total, step = total + found, step + 1
            bar.set_postfix(loss=f"{total / done:.3f}", refresh=False)
        epoch = Epoch(number + 1, average, total / config.steps_per_epoch, time.monotonic() - started)
        if is_first:
            _save(run_dir, epoch, model, optimizer, scaler, config)
            report = {"loss": epoch.loss, "seconds": epoch.seconds, **(on_epoch(epoch) if on_epoch else {})}
            logger.info("epoch %d/%d: %s", epoch.number, config.epochs, ", ".join(f"{k} {v:.4g}" for k, v in report.items()))
        if first_says(is_first and is_enough(), device):
            break
    return average


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    # An early average would be mostly the starting weights: the decay grows to its value over the first steps.
    decay = min(decay, (1 + step) / (10 + step))
    get_ema_multi_avg_fn(decay)(list(average.parameters()), list(model.parameters()), step)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


def _save(
    run_dir: Path,
    epoch: Epoch[Model],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    config: LoopConfig,
) -> None:
    state = {
        "epochs_done": epoch.number,
        "loss": epoch.loss,
        "seconds": epoch.seconds,
        "config": asdict(config),
        "model": model.state_dict(),
        "average": epoch.average.state_dict(),
        "optimizer": optimizer.state_dict()["state"],
        "scaler": scaler.state_dict(),
    }
    partial = run_dir / f"{STATE_FILE}.partial"
    torch.save(state, partial)
    os.replace(partial, run_dir / STATE_FILE)


def _resume(
    run_dir: Path,
    model: nn.Module,
    average: Model,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    config: LoopConfig,
) -> Epoch[Model] | None:
    path = run_dir / STATE_FILE
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state["config"] != asdict(config):
        raise InputError(f"{path} belongs to a run with other settings ({state['config']}): choose another folder or the same settings")
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict({"state": state["optimizer"], "param_groups": optimizer.state_dict()["param_groups"]})
    scaler.load_state_dict(state["scaler"])
    logger.info("resuming after epoch %d", state["epochs_done"])
    return Epoch(int(state["epochs_done"]), average, float(state["loss"]), float(state["seconds"]))


def write_checkpoint(model: PreTrainedModel, processor: BaseImageProcessor, folder: Path) -> None:
    """Writes `config.json`, `model.safetensors` in half precision and `preprocessor_config.json`; each file appears whole."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        copy.deepcopy(model).half().save_pretrained(partial)
        processor.save_pretrained(partial)
        folder.mkdir(exist_ok=True)
        for file in Path(partial).iterdir():
            file.chmod(0o644)  # safetensors makes it the owner's alone, which another user of an image could not read
            os.replace(file, folder / file.name)

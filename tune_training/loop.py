"""One training loop for both models: seeded, resumable at every epoch, with an average of the weights.

The average (exponential moving average, EMA; Polyak and Juditsky 1992) is what gets evaluated and published: with the few
epochs that a laptop affords it is worth about as much as a longer schedule.
"""

import copy
import logging
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from tqdm import tqdm
from transformers import BaseImageProcessor, PreTrainedModel

from tune_training.errors import InputError

logger = logging.getLogger(__name__)

STATE_FILE = "training_state.pt"

Batch = TypeVar("Batch")
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class LoopConfig:
    """What the loop itself needs to know.

    Attributes:
        epochs: passes over the data.
        steps_per_epoch: optimizer steps in one pass.
        warmup_steps: steps of linear warm-up before the cosine decay to zero.
        clip_norm: largest norm of the gradient.
        ema_decay: decay of the weights' moving average, per step.
        seed: of everything random; epoch `e` uses `seed + e`, so that a resumed run sees what an unbroken one would.
        recipe: whatever else decides the result; a run is resumed only with the same.
    """

    epochs: int
    steps_per_epoch: int
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)


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
    loss: Callable[[Model, Batch], torch.Tensor],
    config: LoopConfig,
    run_dir: Path,
    *,
    on_epoch: Callable[[int, Model], dict[str, float]] | None = None,
) -> Model:
    """Trains `model` and returns the average of its weights as a model.

    Args:
        model: trained in place; its train/eval mode is the caller's business (`loss` may set it).
        optimizer: holds the base learning rate of every parameter group.
        batches: for an epoch's number, the batches of that epoch.
        loss: the scalar loss of one batch.
        config: see `LoopConfig`.
        run_dir: gets `training_state.pt` after every epoch; when the file is there, training goes on from it.
        on_epoch: called with the epoch's number and the averaged model; what it returns is logged. A run that resumes calls it
            again for the last finished epoch.

    Raises:
        InputError: `run_dir` holds the state of a run with another configuration.
        FloatingPointError: the loss is not finite.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    average = copy.deepcopy(model).eval()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, config))
    first = _resume(run_dir, model, average, optimizer, schedule, config)
    if first and on_epoch is not None:
        on_epoch(first - 1, average)  # the run may have been killed after the epoch's state was saved and before this was done
    for epoch in range(first, config.epochs):
        seed_everything(config.seed + epoch)
        started, total, steps = time.monotonic(), 0.0, 0
        bar = tqdm(batches(epoch), total=config.steps_per_epoch, desc=f"epoch {epoch + 1}/{config.epochs}", disable=None)
        for batch in bar:
            value = loss(model, batch)
            if not torch.isfinite(value):
                raise FloatingPointError(f"the loss is {value.item()} in epoch {epoch + 1}, step {steps + 1}")
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            schedule.step()
            _update_average(average, model, config.ema_decay, epoch * config.steps_per_epoch + steps)
            total, steps = total + value.item(), steps + 1
            bar.set_postfix(loss=f"{total / steps:.3f}", refresh=False)
        _save(run_dir, epoch + 1, model, average, optimizer, schedule, config)
        report = {"loss": total / max(1, steps), "seconds": time.monotonic() - started}
        if on_epoch is not None:
            report |= on_epoch(epoch, average)
        logger.info("epoch %d/%d: %s", epoch + 1, config.epochs, ", ".join(f"{k} {v:.4g}" for k, v in report.items()))
    return average


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    # An early average would be mostly the starting weights: the decay grows to its value over the first steps.
    decay = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1.0 - decay)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


def _save(
    run_dir: Path,
    epochs_done: int,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    config: LoopConfig,
) -> None:
    state = {
        "epochs_done": epochs_done,
        "config": asdict(config),
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }
    partial = run_dir / f"{STATE_FILE}.partial"
    torch.save(state, partial)
    os.replace(partial, run_dir / STATE_FILE)


def _resume(
    run_dir: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    config: LoopConfig,
) -> int:
    path = run_dir / STATE_FILE
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["config"] != asdict(config):
        raise InputError(f"{path} belongs to a run with other settings ({state['config']}): choose another folder or the same settings")
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    logger.info("resuming after epoch %d", state["epochs_done"])
    return int(state["epochs_done"])


def write_checkpoint(model: PreTrainedModel, processor: BaseImageProcessor, folder: Path) -> None:
    """Writes `config.json`, `model.safetensors` in half precision and `preprocessor_config.json`; each file appears whole."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        copy.deepcopy(model).half().save_pretrained(partial)
        processor.save_pretrained(partial)
        folder.mkdir(exist_ok=True)
        for file in Path(partial).iterdir():
            file.chmod(0o644)  # safetensors makes it the owner's alone, which another user of an image could not read
            os.replace(file, folder / file.name)

"""The training loop of a trial against a bare loop over tensors that are ready in memory: images per second, as a ratio from one run.

Both run the same model, precision, optimizer and loss. The trial's loop also reads the crops from the cache, augments
at full strength, clips gradients, follows the schedule and averages the weights. Pixels are random: none of it depends on them.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch.nn import functional

from serve_app.runtimes.base import LABELS
from serve_app.settings import EMBEDDED_CLASSIFIER, cores
from tune_training.data.photo import Photo
from tune_training.train.crops import DECISION, Crops, working_side
from tune_training.train.fine_tune import fine_tune
from tune_training.train.layers import parameter_groups
from tune_training.train.model import two_class_model
from tune_training.train.precision import autocast
from tune_training.train.recipe import ClassifierRecipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopSpeed:
    """Images per second of the two loops, in turn, and the median of the ratios of neighbours."""

    model: str
    image_size: int
    batch_size: int
    threads: int
    bare: list[float]
    trial: list[float]

    @property
    def ratio(self) -> float:
        """Of the trial's loop to the bare one."""
        return statistics.median(trial / bare for trial, bare in zip(self.trial, self.bare, strict=True))


def measure_loops(
    start: str, image_size: int, *, batch_size: int, steps: int, rounds: int, threads: int, progress: Callable[[str], None]
) -> LoopSpeed:
    """Runs both loops `rounds` times in turn, `steps` steps each, after one round that is not counted."""
    torch.set_num_threads(threads)
    speed = LoopSpeed(Path(start).name, image_size, batch_size, threads, [], [])
    data = _random_data(steps * batch_size, image_size)
    recipe = ClassifierRecipe(epochs=1, batch_size=batch_size, photos_per_epoch=0, source_power=1, balance="")
    for number in range(rounds + 1):
        bare, trial = _bare_loop(start, data, recipe), _trial_loop(start, data, recipe)
        progress(f"round {number}: bare {bare:.1f}, trial {trial:.1f} images/s, {trial / bare:.3f}")
        if number:
            speed.bare.append(bare)
            speed.trial.append(trial)
    return speed


def _random_data(photos: int, image_size: int) -> Crops:
    side = working_side(image_size)
    pixels = np.random.default_rng(0).integers(0, 256, (photos, len(DECISION.views), side, side, 3), dtype=np.uint8)
    rows = [Photo("", str(number), LABELS[number % 2]) for number in range(photos)]
    return Crops(rows, pixels, image_size)


def _bare_loop(start: str, data: Crops, recipe: ClassifierRecipe) -> float:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = two_class_model(start, data.size).to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, model, recipe), lr=recipe.learning_rate, fused=True)
    pixels = torch.randn(recipe.batch_size, 3, data.size * len(DECISION.views), data.size, device=device)
    labels = torch.from_numpy(data.labels[: recipe.batch_size]).to(device)
    steps = len(data) // recipe.batch_size
    started = time.monotonic()
    for _ in range(steps):
        with autocast(device):
            logits = model(pixel_values=pixels).logits
        loss = functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    loss.item()  # waits for a GPU
    return steps * recipe.batch_size / (time.monotonic() - started)


def _trial_loop(start: str, data: Crops, recipe: ClassifierRecipe) -> float:
    speeds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(start, data, Path(folder), recipe, on_epoch=lambda metrics: speeds.append(metrics["images_per_second"]))
    return speeds[0]


def training_loop(
    start: Annotated[str, typer.Option(help="Folder of a ViT.")] = EMBEDDED_CLASSIFIER,
    image_size: Annotated[int, typer.Option(help="Side of each of the two views, pixels.")] = 96,
    batch_size: Annotated[int, typer.Option(help="Photos per step.")] = ClassifierRecipe.batch_size,
    steps: Annotated[int, typer.Option(help="Steps of each loop in a round.")] = 20,
    rounds: Annotated[int, typer.Option(help="How often the two take turns.")] = 5,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0: one per core.")] = 0,
) -> None:
    """Measure the training loop of a trial against a bare loop over cached tensors."""
    speed = measure_loops(
        start,
        image_size,
        batch_size=batch_size,
        steps=steps,
        rounds=rounds,
        threads=threads or cores(),
        progress=log.info,
    )
    typer.echo({**asdict(speed), "ratio": round(speed.ratio, 3)})

"""Fine-tunes a DETR-family checkpoint into a detector of people and their heads."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForObjectDetection, PreTrainedModel, RTDetrImageProcessorPil

from serve_app.runtimes.base import CLASSES, PERSON
from tune_training.detector.coco import read_coco
from tune_training.detector.data import DetectionDataset, collate
from tune_training.detector.recipe import DetectorRecipe
from tune_training.io.errors import InputError
from tune_training.train.loop import Epoch, LoopConfig, fit, read_ahead, seed_everything, write_checkpoint

logger = logging.getLogger(__name__)

Batch = tuple[torch.Tensor, list[dict[str, torch.Tensor]]]  # pixels (n, 3, size, size), and the labels of each photo


def two_class_model(start: str, recipe: DetectorRecipe) -> PreTrainedModel:
    """Loads a checkpoint of any classes and keeps the rows of `CLASSES` in every class head; a class that it lacks starts untrained.

    Raises:
        InputError: it is no detector, or has no class `person`.
    """
    try:
        # float32, whatever the file holds: half precision cannot be trained this way.
        before = AutoModelForObjectDetection.from_pretrained(start, dtype=torch.float32)
    except ValueError as error:  # of a kind of model that detects nothing; the message lists all kinds that do
        raise InputError(f"{start}: this is no detector of the DETR family") from error
    known = {str(name).lower(): int(index) for index, name in before.config.id2label.items()}
    if PERSON not in known:
        raise InputError(f"{start}: the starting checkpoint needs the class '{PERSON}'")
    model: PreTrainedModel = AutoModelForObjectDetection.from_pretrained(
        start,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: index for index, name in enumerate(CLASSES)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
        num_denoising=recipe.denoising_queries,
    )
    source = before.state_dict()
    with torch.no_grad():
        for name, target in model.state_dict().items():
            if not ("class" in name or "score" in name) or name not in source or source[name].shape[1:] != target.shape[1:]:
                continue
            for index, wanted in enumerate(CLASSES):
                if wanted in known:
                    target[index].copy_(source[name][known[wanted]])
            if len(target) > len(CLASSES):  # the embedding of denoised labels has one more row at the end: "no object"
                target[-1].copy_(source[name][-1])
    model.config.eval_size = [recipe.image_size, recipe.image_size]
    return model


def image_processor(recipe: DetectorRecipe) -> RTDetrImageProcessorPil:
    """RGB, plain resize, divide by 255, no mean or deviation: as the starting checkpoint was trained."""
    size = {"height": recipe.image_size, "width": recipe.image_size}
    return RTDetrImageProcessorPil(do_resize=True, size=size, do_rescale=True, do_normalize=False, do_pad=False)


def parameter_groups(model: nn.Module, recipe: DetectorRecipe) -> list[dict[str, object]]:
    """The untrained `enc_output` learns faster; norms and biases have no weight decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = recipe.enc_output_learning_rate if "enc_output" in name else recipe.learning_rate
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def train_detector(start: str, index: Path, run_dir: Path, recipe: DetectorRecipe) -> Path:
    """Trains and writes `run_dir/checkpoint` in the Hugging Face layout.

    Args:
        start: folder or hub name of a DETR-family checkpoint with the class `person`.
        index: COCO file of the training photos, with people and heads.
        run_dir: folder of the state to resume from and of the result.
        recipe: see `DetectorRecipe`.

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: there are too few photos, the start has no class `person`, or `run_dir` belongs to another run.
    """
    seed_everything(recipe.seed)
    photos = read_coco(index)
    steps = len(photos) // recipe.batch_size
    if not steps:
        raise InputError(f"{index}: {len(photos)} photos are fewer than one batch of {recipe.batch_size}")
    processor = image_processor(recipe)
    model = two_class_model(start, recipe)
    model.to(memory_format=torch.channels_last)
    logger.info("%d photos, %d steps an epoch", len(photos), steps)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([recipe.seed, epoch])
        order = rng.permutation(len(photos))[: steps * recipe.batch_size]
        dataset = DetectionDataset(photos, processor, seed=recipe.seed * 1000 + epoch)

        def read(part: Sequence[int]) -> Batch:
            return collate([dataset[index] for index in part])

        return read_ahead(read, order.reshape(steps, recipe.batch_size).tolist())

    def losses(network: nn.Module, batch: Batch) -> Iterator[torch.Tensor]:
        pixels, labels = batch
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()  # folded into the convolutions before publication: its statistics mean nothing
        yield network(pixel_values=pixels.contiguous(memory_format=torch.channels_last), labels=labels).loss

    def keep(epoch: Epoch[PreTrainedModel]) -> dict[str, float]:
        write_checkpoint(epoch.average, processor, run_dir / "checkpoint")
        return {}

    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), lr=recipe.learning_rate)
    config = LoopConfig(recipe.epochs, steps, clip_norm=0.5, seed=recipe.seed, recipe={"start": start, **asdict(recipe)})
    fit(model, optimizer, batches, losses, config, run_dir, on_epoch=keep)
    return run_dir / "checkpoint"

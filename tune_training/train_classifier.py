"""Fine-tunes a ViT into a classifier of the labels male and female, on crops as the detector makes them."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import AutoModelForImageClassification, PreTrainedModel, ViTImageProcessorPil

from serve_app.cropping import RGB, CropSpec
from serve_app.decision import DetectorDecision
from serve_app.decoding import ImageRefused, decode
from serve_app.detector import Detector
from serve_app.gate import people_that_count
from serve_app.networks import normalisation
from tune_training.classification_data import WHOLE_PHOTO, Augmentation, ClassificationDataset, LabelledPerson, sampling_weights
from tune_training.errors import InputError
from tune_training.evaluate import decode_limits
from tune_training.loop import LoopConfig, fit, seed_everything, write_checkpoint

logger = logging.getLogger(__name__)

LABELS = ("female", "male")
BOXES_FILE = "boxes.json"

FoundBoxes = list[list[float]] | None  # the people that count in a photo; None for a file that cannot be read


@dataclass(frozen=True)
class ClassifierRecipe:
    """The recipe's numbers, as used for the embedded classifier.

    Attributes:
        image_size: side of the crops, pixels. The training photos have a short side of 112 or 144: 160 keeps all that they show, at
            half the cost of 224.
        photos_per_epoch: drawn by `sampling_weights`.
        source_power: see `sampling_weights`; lower numbers draw more from small collections, which are the varied ones.
        layer_decay: the learning rate of each block below the head is that much lower than of the one above it (Clark et al. 2020).
    """

    epochs: int = 5
    batch_size: int = 64
    image_size: int = 160
    photos_per_epoch: int = 16_000
    source_power: float = 0.5
    learning_rate: float = 4e-4
    layer_decay: float = 0.8
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0


def image_processor(image_size: int) -> ViTImageProcessorPil:
    """Square crops, bilinear, ImageNet mean and deviation: as the starting checkpoint was trained."""
    size = {"height": image_size, "width": image_size}
    return ViTImageProcessorPil(size=size, resample=2, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


def two_class_model(start: str, image_size: int) -> PreTrainedModel:
    """Loads a ViT, gives it a new head, and interpolates its position embeddings to the image size."""
    model: PreTrainedModel = AutoModelForImageClassification.from_pretrained(
        start,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )
    if model.config.image_size == image_size:
        return model
    vit: Any = model.vit
    with torch.no_grad():
        positions = vit.embeddings.interpolate_pos_encoding(
            torch.zeros(1, 1 + (image_size // model.config.patch_size) ** 2, model.config.hidden_size), image_size, image_size
        )
    config = model.config
    config.image_size = image_size
    resized: PreTrainedModel = type(model)(config)
    state = model.state_dict()
    state["vit.embeddings.position_embeddings"] = positions
    resized.load_state_dict(state)
    return resized


def parameter_groups(model: PreTrainedModel, recipe: ClassifierRecipe) -> list[dict[str, object]]:
    """Layer-wise learning rates; norms, biases and embeddings are not decayed."""
    depth = model.config.num_hidden_layers
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        if "embeddings" in parts:
            level = 0
        else:
            block = next((int(part) for part in parts if part.isdigit()), None)
            level = depth + 1 if block is None else block + 1
        rate = recipe.learning_rate * recipe.layer_decay ** (depth + 1 - level)
        decay = recipe.weight_decay if parameter.ndim > 1 and level > 0 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def with_boxes(people: Sequence[LabelledPerson], detector: Detector, cache: Path, batch_size: int = 16) -> list[LabelledPerson]:
    """Finds each photo's person once and remembers it in `cache`, as long as the detector stays the same.

    Photos with several people are left out: nobody knows whose label it is. Where the detector finds nobody, the whole photo stands
    in: such photos are hard for it, and the classifier should learn from them all the same.
    """
    known = _known_boxes(cache, detector)
    todo = [person for person in people if str(person.path) not in known]
    for start in tqdm(range(0, len(todo), batch_size), desc="finding people", disable=None):
        part = todo[start : start + batch_size]
        for person, boxes in zip(part, _boxes([p.path for p in part], detector), strict=True):
            known[str(person.path)] = boxes
    if todo:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"detector": _identity(detector), "boxes": known}))
    kept = []
    for person in people:
        boxes = known[str(person.path)]
        if boxes is not None and len(boxes) <= 1:
            x0, y0, x1, y1 = boxes[0] if boxes else WHOLE_PHOTO
            kept.append(replace(person, box=(x0, y0, x1, y1)))
    logger.info("%d of %d photos kept: the others show several people or cannot be read", len(kept), len(people))
    return kept


def _known_boxes(cache: Path, detector: Detector) -> dict[str, FoundBoxes]:
    document = json.loads(cache.read_text()) if cache.exists() else {}
    known: dict[str, FoundBoxes] = document["boxes"] if document.get("detector") == _identity(detector) else {}
    return known


def _identity(detector: Detector) -> dict[str, object]:
    return {"revision": detector.checkpoint.revision, **detector.decision.model_dump()}


def _boxes(paths: Sequence[Path], detector: Detector) -> list[FoundBoxes]:
    limits = decode_limits()
    photos: list[RGB | None] = []
    for path in paths:
        try:
            photos.append(decode(path.read_bytes(), limits))
        except ImageRefused:
            photos.append(None)
    found = iter(detector([photo for photo in photos if photo is not None]))
    rule: DetectorDecision = detector.decision
    return [None if photo is None else [list(p.box) for p in people_that_count(next(found), rule)] for photo in photos]


def train_classifier(start: str, people: Sequence[LabelledPerson], run_dir: Path, recipe: ClassifierRecipe) -> Path:
    """Trains and writes `run_dir/checkpoint` in the Hugging Face layout.

    Args:
        start: folder or hub name of a ViT checkpoint.
        people: the training photos, with boxes (see `with_boxes`).
        run_dir: where the state for resuming and the result go.
        recipe: see `ClassifierRecipe`.

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: there are no photos, less than a batch is drawn for an epoch, or `run_dir` is another run's.
    """
    steps = recipe.photos_per_epoch // recipe.batch_size
    if not people or not steps:
        raise InputError(
            f"{len(people)} photos, of which {recipe.photos_per_epoch} are drawn an epoch, make no batch of {recipe.batch_size}"
        )
    seed_everything(recipe.seed)
    processor = image_processor(recipe.image_size)
    mean, deviation = normalisation(processor)
    spec = CropSpec(margin=0.05, aspect=1.5, size=recipe.image_size)
    weights = sampling_weights(people, recipe.source_power)
    model = two_class_model(start, recipe.image_size)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def batches(epoch: int) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        rng = np.random.default_rng([recipe.seed, epoch])
        chosen = rng.choice(len(people), steps * recipe.batch_size, p=weights)
        dataset = ClassificationDataset([people[i] for i in chosen], LABELS, spec, recipe.augmentation, seed=recipe.seed * 1000 + epoch)
        return DataLoader(dataset, recipe.batch_size, num_workers=1)

    def loss(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        pixels, labels = batch
        network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(pixel_values=(pixels.float() - mean) / deviation).logits
        value: torch.Tensor = criterion(logits.float(), labels)
        return value

    def keep(epoch: int, average: PreTrainedModel) -> dict[str, float]:
        write_checkpoint(average, processor, run_dir / "checkpoint")
        return {}

    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), lr=recipe.learning_rate, betas=(0.9, 0.99))
    config = LoopConfig(recipe.epochs, steps, seed=recipe.seed, recipe={"start": start, "photos": len(people), **asdict(recipe)})
    fit(model, optimizer, batches, loss, config, run_dir, on_epoch=keep)
    return run_dir / "checkpoint"

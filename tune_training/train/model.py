"""Fine-tunes a ViT into a classifier of the labels male and female, on crops as the detector makes them.

`train` is the one training function: the command `train-classifier` runs it once, and each trial of a search runs it with other numbers.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    BaseImageProcessor,
    PreTrainedModel,
    ViTImageProcessorPil,
)

from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.runtimes.networks import normalisation
from serve_app.vision.cropping import CropSpec
from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from serve_app.vision.people import people_that_count
from tune_training.data.photo import WHOLE_PHOTO
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits
from tune_training.train.augmentation import Augment
from tune_training.train.crops import Crops, cached_crops
from tune_training.train.loop import Epoch, LoopConfig, fit, seed_everything, write_checkpoint
from tune_training.train.read_ahead import read_ahead
from tune_training.train.sampling import Example, LabelledPerson, examples_of_people, sampling_weights

logger = logging.getLogger(__name__)

LABELS = ("female", "male")
# How all training crops, as the embedded weights are served; `evaluate` fits the temperature.
DECISION = ClassifierDecision(crop_margin=0.0, crop_aspect=1.5)
BOXES_FILE = "boxes.json"
CHECKPOINT_FOLDER = "checkpoint"
PROCESSOR_FILE = "preprocessor_config.json"
MAX_WARMUP_STEPS = 100

FoundBoxes = list[list[float]] | None  # the people that count in a photo; None for a file that cannot be read
Batch = tuple[Tensor, Tensor, Tensor]  # working crops (n, side, side, 3) uint8, label indices (n,), close-ups (n,)


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassifierRecipe:
    """The recipe's numbers; the defaults are those of the embedded classifier. Ranges are checked.

    Attributes:
        epochs: passes over the photos.
        batch_size: photos per step.
        photos_per_epoch: drawn, with repetition, by `sampling_weights`; 0: as many as there are, and at a source_power of 1 each once.
        source_power: see `sampling_weights`; lower numbers draw more from small collections, which are the varied ones.
        learning_rate: of the head.
        layer_decay: the learning rate of each block below the head is that much lower than of the one above it (Clark et al. 2020).
        weight_decay: of AdamW; norms, biases and embeddings are not decayed.
        label_smoothing: Szegedy et al. 2016.
        augmentation: strength, see `augmentation.Augment`; 0 is off.
        mixup: alpha of the Beta distribution that pairs are mixed by (Zhang et al. 2018); 0 is off.
        frozen_layers: blocks, counted from the input, that keep their weights, and then the embeddings do too; 0 trains all.
        warmup: share of all steps in which the learning rate rises, but at most `MAX_WARMUP_STEPS` steps.
        seed: of everything random.
    """

    epochs: Annotated[int, Field(ge=1, le=1000)] = 5
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 64
    photos_per_epoch: Annotated[int, Field(ge=0)] = 16_000
    source_power: Annotated[float, Field(ge=0, le=1)] = 0.5
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-4
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    augmentation: Annotated[float, Field(ge=0, le=1)] = 1.0
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    frozen_layers: Annotated[int, Field(ge=0)] = 0
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class TrainingData:
    """What is learned from.

    Attributes:
        examples: the photos.
        crops: theirs, in the same order.
    """

    examples: Sequence[Example]
    crops: Crops

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of each label in `LABELS`."""
        return np.array([LABELS.index(each.label) for each in self.examples], dtype=np.int64)


def read_data(examples: Sequence[Example], image_size: int, folder: Path) -> TrainingData:
    """Reads the photos, unless this node has their crops in `folder` (see `cached_crops`)."""
    spec = CropSpec(DECISION.crop_margin, DECISION.crop_aspect, image_size)
    return TrainingData(list(examples), cached_crops(examples, spec, folder))


def image_processor(start: str, image_size: int) -> BaseImageProcessor:
    """Square crops, bilinear, mean and deviation of the starting checkpoint; of ImageNet where it does not say."""
    size = {"height": image_size, "width": image_size}
    known: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    if (Path(start) / PROCESSOR_FILE).is_file() or not Path(start).is_dir():
        processor = AutoImageProcessor.from_pretrained(start, backend="pil")
        known = {"image_mean": list(processor.image_mean), "image_std": list(processor.image_std)}
    return ViTImageProcessorPil(size=size, resample=2, **known)


def two_class_model(start: str, image_size: int) -> PreTrainedModel:
    """Loads a ViT, and interpolates its position embeddings to the image size. It keeps a head of these two labels, else gets a new one."""
    before = {str(name).lower(): index for index, name in AutoConfig.from_pretrained(start).id2label.items()}
    model: PreTrainedModel = AutoModelForImageClassification.from_pretrained(
        start,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )
    if before.keys() == set(LABELS):
        order = [before[label] for label in LABELS]
        head: Any = model.classifier
        with torch.no_grad():
            head.weight.copy_(head.weight[order].clone())
            head.bias.copy_(head.bias[order].clone())
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
    """Layer-wise learning rates; norms, biases and embeddings are not decayed. Frozen layers are switched off here."""
    depth = model.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        level = _level(name, depth)
        if recipe.frozen_layers and level <= recipe.frozen_layers:
            parameter.requires_grad_(False)
            continue
        groups.setdefault((level, parameter.ndim > 1 and level > 0), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": recipe.learning_rate * recipe.layer_decay ** (depth + 1 - level),
            "weight_decay": recipe.weight_decay if decayed else 0.0,
        }
        for (level, decayed), parameters in groups.items()
    ]


def _level(name: str, depth: int) -> int:
    """0 for the embeddings, 1 to `depth` for the blocks, `depth` + 1 for what is above them."""
    parts = name.split(".")
    if "embeddings" in parts:
        return 0
    block = next((int(part) for part in parts if part.isdigit()), None)
    return depth + 1 if block is None else block + 1


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


def train(
    start: str,
    data: TrainingData,
    run_dir: Path,
    recipe: ClassifierRecipe,
    *,
    on_epoch: Callable[[Epoch[PreTrainedModel]], Mapping[str, float]] | None = None,
    identity: Mapping[str, object] | None = None,
) -> None:
    """Trains, and after each epoch writes the state for resuming, and `checkpoint/` in the Hugging Face layout, to `run_dir`.

    Args:
        start: folder or hub name of a ViT checkpoint.
        data: the photos.
        run_dir: where the checkpoint and the state are; training goes on from a state that is there.
        recipe: see `ClassifierRecipe`.
        on_epoch: called when an epoch's files are there; what it returns is logged.
        identity: what a state that is gone on from must agree with; all that decides the result by default.

    Raises:
        InputError: an epoch has less than a batch, or `run_dir` is another run's.
    """
    if 0 < recipe.photos_per_epoch < recipe.batch_size:
        raise InputError(f"{recipe.photos_per_epoch} photos, that are drawn an epoch, make no batch of {recipe.batch_size}")
    each_once = not recipe.photos_per_epoch and recipe.source_power == 1
    # Of a given number whole batches are drawn; else the last batch has what is left.
    steps = recipe.photos_per_epoch // recipe.batch_size or -(-len(data.examples) // recipe.batch_size)
    drawn = steps * recipe.batch_size if recipe.photos_per_epoch else len(data.examples)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seed_everything(recipe.seed)
    size = data.crops.size
    processor = image_processor(start, size)
    mean, deviation = (values.to(device) for values in normalisation(processor))
    model = two_class_model(start, size).to(device)
    if recipe.frozen_layers > model.config.num_hidden_layers:
        raise InputError(f"frozen_layers is {recipe.frozen_layers}, and {start} has {model.config.num_hidden_layers} layers")
    augment = Augment(size, recipe.augmentation, mean, deviation)
    labels = torch.from_numpy(data.labels)
    close_ups = torch.tensor([each.close_up for each in data.examples])
    weights = sampling_weights(data.examples, recipe.source_power)
    run_dir.mkdir(parents=True, exist_ok=True)

    def read(indices: NDArray[np.int64]) -> Batch:
        return data.crops.read(indices), labels[indices], close_ups[indices]

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([recipe.seed, epoch])
        chosen = rng.permutation(len(data.examples)) if each_once else rng.choice(len(data.examples), drawn, p=weights)
        parts = np.array_split(chosen, range(recipe.batch_size, len(chosen), recipe.batch_size))
        return read_ahead(partial(read, part) for part in parts)

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        crops, targets, close = (each.to(device, non_blocking=True) for each in batch)
        generator = torch.Generator(device)
        generator.manual_seed(int(torch.randint(2**31, (1,))))  # the loop seeds the global one for each epoch
        pixels = augment(crops, close, generator)
        wanted = functional.one_hot(targets, len(LABELS)).float()
        if recipe.mixup:
            share = float(np.random.beta(recipe.mixup, recipe.mixup))
            pixels, wanted = (share * each + (1 - share) * each.flip(0) for each in (pixels, wanted))
        network.train()
        with autocast(device):
            logits = network(pixel_values=pixels).logits
        return functional.cross_entropy(logits.float(), wanted, label_smoothing=recipe.label_smoothing)

    def keep(epoch: Epoch[PreTrainedModel]) -> Mapping[str, float]:
        write_checkpoint(epoch.average, processor, run_dir / CHECKPOINT_FOLDER)
        DECISION.write(run_dir / CHECKPOINT_FOLDER)
        return on_epoch(epoch) if on_epoch else {}

    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
    known = {"start": start, "photos": len(data.examples), **asdict(recipe)} if identity is None else dict(identity)
    warmup = min(MAX_WARMUP_STEPS, round(recipe.warmup * steps * recipe.epochs))
    fit(model, optimizer, batches, loss, LoopConfig(recipe.epochs, steps, warmup, seed=recipe.seed, recipe=known), run_dir, on_epoch=keep)


def autocast(device: torch.device) -> torch.autocast:
    """Bfloat16 where the processor has instructions for it: elsewhere it is slower than float32."""
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


@torch.inference_mode()
def predict_logits(model: PreTrainedModel, crops: Crops, processor: BaseImageProcessor, batch_size: int = 128) -> NDArray[np.float32]:
    """Logits (n, 2) of the crops as the service makes them, columns in the order of `LABELS`."""
    device = model.device
    mean, deviation = (values.to(device) for values in normalisation(processor))
    parts = []
    for start in range(0, len(crops), batch_size):
        pixels = crops.read_proper(start, start + batch_size).to(device).permute(0, 3, 1, 2).float()
        with autocast(device):
            parts.append(model(pixel_values=(pixels - mean) / deviation).logits.float().cpu())
    logits: NDArray[np.float32] = torch.cat(parts).numpy()
    return logits


def train_classifier(start: str, people: Sequence[LabelledPerson], run_dir: Path, recipe: ClassifierRecipe, image_size: int) -> Path:
    """Trains on files of this machine, and writes `run_dir/checkpoint`: one point of what `tune` searches.

    Args:
        start: folder or hub name of a ViT checkpoint.
        people: the training photos, with boxes (see `with_boxes`).
        run_dir: where the crops, the state for resuming and the result go.
        recipe: see `ClassifierRecipe`.
        image_size: side of the crops, pixels.

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: there are no photos, less than a batch is drawn for an epoch, or `run_dir` is another run's.
    """
    if not people:
        raise InputError("0 photos to train on")
    train(start, read_data(examples_of_people(people), image_size, run_dir / "crops"), run_dir, recipe)
    return run_dir / CHECKPOINT_FOLDER

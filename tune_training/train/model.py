"""The classifier: any image classifier of transformers that the service takes, with a head of two labels, and its input."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    BaseImageProcessor,
    PretrainedConfig,
    PreTrainedModel,
    ViTImageProcessorPil,
)
from transformers.initialization import no_init_weights

from serve_app.checkpoints import Checkpoint, CheckpointError, resolve
from serve_app.runtimes.base import LABELS
from serve_app.runtimes.networks import (
    cannot_load,
    image_setting,
    load_processor,
    normalisation,
    position_options,
    resize_of_classifier,
    trained_size,
)
from serve_app.settings import get_settings
from tune_training.io.errors import InputError
from tune_training.train.crops import DECISION, Crops
from tune_training.train.layers import blocks, heads
from tune_training.train.precision import autocast

PROCESSOR_FILE = "preprocessor_config.json"
STACKED = ("vit", "deit")  # take an input that is no square, with a position embedding for each of its patches
# Of a few dozen tokens on a processor, the fused attention's gradient takes four times as long as plain products. None: the fastest.
ATTENTION = None if torch.cuda.is_available() else "eager"


def starting_folder(uri: str) -> str:
    """The local folder of a checkpoint, downloaded where needed."""
    if Path(uri).is_dir():  # a checkpoint to start from needs no image processor
        return uri
    return str(resolve(uri, get_settings().model_cache_dir).path)


@dataclass(frozen=True)
class _Outline:
    """What is known of a network before it is trained.

    Attributes:
        kind: its name in transformers.
        size: side of a view, pixels.
        parameters: how many it has.
        depth: its blocks.
        has_head: the logits come from a linear layer.
        activation_bytes: what one photo keeps in memory between the forward and the backward pass, in float32.
    """

    kind: str
    size: int
    parameters: int
    depth: int
    has_head: bool
    activation_bytes: int


def check_start(start: str, image_size: int, frozen_layers: int) -> tuple[int, int]:
    """Side of a view (that of the checkpoint for 0) and number of parameters, when training starts from `start`.

    Raises:
        InputError: there is no checkpoint, or it does not fit the image size or the number of frozen layers.
        CheckpointError: the service would not take such a network, or its image processor.
    """
    outline = _outline(start, image_size)
    if frozen_layers > outline.depth:
        raise InputError(f"frozen_layers is {frozen_layers}, and {start} has {outline.depth} layers")
    if not outline.has_head:
        raise InputError(f"{start}: a {outline.kind!r} network has no linear layer at its end, which training would replace")
    return outline.size, outline.parameters


def activation_bytes(start: str, image_size: int) -> int:
    """Memory that one photo takes in training between the forward and the backward pass, in float32; in half precision it is less."""
    return _outline(start, image_size).activation_bytes


@functools.lru_cache(maxsize=8)
def _outline(start: str, image_size: int) -> _Outline:
    if "://" not in start and not (Path(start) / "config.json").is_file():
        raise InputError(
            f"{start}: there is no checkpoint in this folder. Write a folder with a config.json, s3://bucket/prefix/ or hf://org/name"
        )
    folder = Path(starting_folder(start))
    try:
        config = AutoConfig.from_pretrained(folder)
        size = image_size or _own_size(start, folder, config)
        if config.model_type in STACKED:
            config.image_size = [size * len(DECISION.views), size]
        config.num_labels = len(LABELS)
        with no_init_weights():
            network = AutoModelForImageClassification.from_config(config, attn_implementation=ATTENTION).eval()
    except (CheckpointError, InputError):
        raise
    except Exception as error:
        raise cannot_load(start, error) from error
    patch_size = image_setting(config, "patch_size")
    if isinstance(patch_size, int) and size % patch_size:
        raise InputError(f"views of {size} pixels are not a multiple of {patch_size}, the patch size of {start}")
    if (folder / PROCESSOR_FILE).is_file():
        checkpoint = Checkpoint(start, folder, folder.name, revision="")
        resize_of_classifier(checkpoint, load_processor(checkpoint), size * len(DECISION.views), size)
    try:
        needed = _activation_bytes(network, size)
    except Exception as error:
        views = f"{len(DECISION.views)} views of {size} x {size} pixels"
        raise InputError(f"{start}: a {config.model_type!r} network cannot take {views} ({error}). Try another --image-size") from error
    return _Outline(config.model_type, size, network.num_parameters(), len(blocks(network)), bool(heads(network)), needed)


def _activation_bytes(network: PreTrainedModel, size: int) -> int:
    """Measured, with one photo; what it contains does not matter."""
    height = size * len(DECISION.views)
    known = {parameter.untyped_storage() for parameter in network.parameters()}
    kept: set[torch.UntypedStorage] = set()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.add(tensor.untyped_storage())
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(pixel_values=torch.zeros(1, 3, height, size), **position_options(network.config, height, size))
    return sum(storage.nbytes() for storage in kept - known)


def _own_size(start: str, folder: Path, config: PretrainedConfig) -> int:
    """Side of a view that the checkpoint was trained on, pixels."""
    if (folder / PROCESSOR_FILE).is_file():
        return trained_size(load_processor(Checkpoint(start, folder, folder.name, revision="")))[1]
    size = image_setting(config, "image_size")
    if size is None:
        raise InputError(f"{start}: nothing says which image size it was trained on. Use --image-size")
    return _sides(size)[1]


def image_processor(start: str, image_size: int) -> BaseImageProcessor:
    """Two square views, one above the other, normalised as for the starting checkpoint, or as ImageNet is where it does not say how."""
    size = {"height": image_size * len(DECISION.views), "width": image_size}
    known: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    if (Path(start) / PROCESSOR_FILE).is_file():
        mean, deviation = normalisation(AutoImageProcessor.from_pretrained(start, backend="pil"))
        # Rounded: of float32, no more digits mean anything.
        known = {"image_mean": [round(value / 255, 6) for value in mean.flatten().tolist()]}
        known["image_std"] = [round(value / 255, 6) for value in deviation.flatten().tolist()]
    return ViTImageProcessorPil(size=size, resample=2, **known)


def two_class_model(start: str, image_size: int) -> PreTrainedModel:
    """Loads an image classifier for two views of `image_size` pixels. A head of these two labels is kept, any other replaced.

    A ViT gets position embeddings for two views; other networks that have any interpolate their own (see `position_options`).
    """
    before = {str(name).lower(): index for index, name in AutoConfig.from_pretrained(start).id2label.items()}
    model: PreTrainedModel = AutoModelForImageClassification.from_pretrained(
        start,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
        attn_implementation=ATTENTION,
    )
    if before.keys() == set(LABELS):
        order = [before[label] for label in LABELS]
        with torch.no_grad():
            for head in heads(model):
                for parameter in head.parameters():
                    parameter.copy_(parameter[order].clone())
    config = model.config
    if config.model_type not in STACKED:
        return model
    sides = _sides(config.image_size)
    config.image_size = [image_size * len(DECISION.views), image_size]
    resized: PreTrainedModel = type(model)(config)
    state = model.state_dict()
    name = f"{model.base_model_prefix}.embeddings.position_embeddings"
    state[name] = _positions(state[name], [side // config.patch_size for side in sides], image_size // config.patch_size)
    resized.load_state_dict(state)
    return resized


def _sides(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of an input, pixels."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _positions(embeddings: torch.Tensor, grid: Sequence[int], side: int) -> torch.Tensor:
    """Position embeddings (1, tokens + patches, width) for views of side x side patches: each view gets those of the whole square.

    Args:
        embeddings: those of the starting checkpoint; the first belong to no patch (one token of a ViT, two of a DeiT).
        grid: rows and columns of its patches; with twice as many rows as columns, it has two views already.
    """
    rows, columns = grid
    tokens = embeddings.shape[1] - rows * columns
    patches = embeddings[:, tokens:].reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
    views = patches.split(columns, dim=2) if rows == len(DECISION.views) * columns else [patches] * len(DECISION.views)
    scaled = [functional.interpolate(view, (side, side), mode="bicubic", align_corners=False, antialias=True) for view in views]
    return torch.cat([embeddings[:, :tokens], torch.cat(scaled, dim=2).flatten(2).transpose(1, 2)], dim=1)


@torch.inference_mode()
def predict_logits(model: PreTrainedModel, crops: Crops, processor: BaseImageProcessor, batch_size: int = 128) -> NDArray[np.float32]:
    """Logits (n, 2) of the crops as the service makes them, columns in the order of `LABELS`."""
    device = model.device
    mean, deviation = (values.to(device) for values in normalisation(processor))
    parts = []
    for start in range(0, len(crops), batch_size):
        pixels = crops.read_proper(start, start + batch_size).to(device).permute(0, 3, 1, 2).float()
        options = position_options(model.config, *pixels.shape[-2:])
        with autocast(device):
            parts.append(model(pixel_values=(pixels - mean) / deviation, **options).logits.float().cpu())
    logits: NDArray[np.float32] = torch.cat(parts).numpy()
    return logits

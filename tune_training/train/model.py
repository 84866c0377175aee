"""The classifier: a ViT of any size, with a head of two labels, its input, its learning rates and its precision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
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

from serve_app.checkpoints import resolve
from serve_app.runtimes.base import LABELS
from serve_app.runtimes.networks import normalisation
from serve_app.settings import get_settings
from tune_training.io.errors import InputError
from tune_training.train.crops import DECISION, Crops
from tune_training.train.recipe import ClassifierRecipe

DEFAULT_START = "hf://google/vit-base-patch16-224"
PROCESSOR_FILE = "preprocessor_config.json"


def starting_folder(uri: str) -> str:
    """The local folder of a checkpoint, downloaded where needed."""
    if Path(uri).is_dir():  # a checkpoint to start from needs no image processor
        return uri
    return str(resolve(uri, get_settings().model_cache_dir).path)


def check_start(start: str, image_size: int, frozen_layers: int) -> tuple[int, int]:
    """Side of a view (that of the checkpoint for 0) and number of parameters, when training starts from `start`.

    Raises:
        InputError: there is no checkpoint, it is not a ViT, or it does not fit the image size or the number of frozen layers.
    """
    if "://" not in start and not (Path(start) / "config.json").is_file():
        raise InputError(
            f"{start}: there is no checkpoint in this folder. Write a folder with a config.json, s3://bucket/prefix/ or hf://org/name"
        )
    config = AutoConfig.from_pretrained(starting_folder(start))
    if config.model_type != "vit":
        raise InputError(f"{start}: this is no ViT checkpoint but a {config.model_type!r} one, and layers are counted as a ViT has them")
    if frozen_layers > config.num_hidden_layers:
        raise InputError(f"frozen_layers is {frozen_layers}, and {start} has {config.num_hidden_layers} layers")
    size = image_size or _sides(config)[1]
    if size % config.patch_size:
        raise InputError(f"views of {size} pixels are not a multiple of {config.patch_size}, the patch size of {start}")
    with torch.device("meta"):
        return size, AutoModelForImageClassification.from_config(config).num_parameters()


def image_processor(start: str, image_size: int) -> BaseImageProcessor:
    """Two square views, one above the other; mean and deviation of the starting checkpoint, or of ImageNet where it names none."""
    size = {"height": image_size * len(DECISION.views), "width": image_size}
    known: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    if (Path(start) / PROCESSOR_FILE).is_file() or not Path(start).is_dir():
        processor = AutoImageProcessor.from_pretrained(start, backend="pil")
        known = {"image_mean": list(processor.image_mean), "image_std": list(processor.image_std)}
    return ViTImageProcessorPil(size=size, resample=2, **known)


def two_class_model(start: str, image_size: int) -> PreTrainedModel:
    """Loads a ViT and makes it take two views of `image_size` pixels. A head of these two labels is kept, any other replaced."""
    before = {str(name).lower(): index for index, name in AutoConfig.from_pretrained(start).id2label.items()}
    model: PreTrainedModel = AutoModelForImageClassification.from_pretrained(
        start,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
        # Of a few dozen tokens on a processor, the fused attention's gradient takes four times as long as plain products.
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
    )
    if before.keys() == set(LABELS):
        order = [before[label] for label in LABELS]
        head: Any = model.classifier
        with torch.no_grad():
            head.weight.copy_(head.weight[order].clone())
            head.bias.copy_(head.bias[order].clone())
    config = model.config
    sides = _sides(config)
    config.image_size = [image_size * len(DECISION.views), image_size]
    resized: PreTrainedModel = type(model)(config)
    state = model.state_dict()
    name = "vit.embeddings.position_embeddings"
    state[name] = _positions(state[name], [side // config.patch_size for side in sides], image_size // config.patch_size)
    resized.load_state_dict(state)
    return resized


def _sides(config: PretrainedConfig) -> tuple[int, int]:
    """(height, width) of a ViT's input, pixels."""
    size = config.image_size
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _positions(embeddings: torch.Tensor, grid: Sequence[int], side: int) -> torch.Tensor:
    """Position embeddings (1, 1 + patches, width) for views of side x side patches: each view gets those of the whole square.

    Args:
        embeddings: those of the starting checkpoint; the first belongs to no patch.
        grid: rows and columns of its patches; with twice as many rows as columns, it has two views already.
    """
    rows, columns = grid
    patches = embeddings[:, 1:].reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
    views = patches.split(columns, dim=2) if rows == len(DECISION.views) * columns else [patches] * len(DECISION.views)
    scaled = [functional.interpolate(view, (side, side), mode="bicubic", align_corners=False, antialias=True) for view in views]
    return torch.cat([embeddings[:, :1], torch.cat(scaled, dim=2).flatten(2).transpose(1, 2)], dim=1)


def parameter_groups(model: nn.Module, depth: int, recipe: ClassifierRecipe) -> list[dict[str, object]]:
    """Layer-wise learning rates; no weight decay for norms, biases and embeddings. Frozen layers stop requiring gradients.

    Args:
        model: a ViT, or a module that holds one.
        depth: blocks of the ViT.
        recipe: the rates.
    """
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
    """0 for the embeddings, 1 to `depth` for the blocks, `depth` + 1 for everything above."""
    parts = name.split(".")
    if "embeddings" in parts:
        return 0
    block = next((int(part) for part in parts if part.isdigit()), None)
    return depth + 1 if block is None else block + 1


def autocast(device: torch.device) -> torch.autocast:
    """Bfloat16 where the processor has instructions for it; elsewhere it is slower than float32."""
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

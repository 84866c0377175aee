"""Tiny image classifiers of the kinds that training starts from, with the image processors that such checkpoints have."""

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    BitImageProcessorPil,
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessorPil,
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTImageProcessorPil,
    Dinov2Config,
    Dinov2ForImageClassification,
    PreTrainedModel,
    SiglipConfig,
    SiglipForImageClassification,
    SiglipImageProcessorPil,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

Kind = Literal["vit", "deit", "distilled deit", "dinov2", "siglip", "swin", "convnext"]

SIDE = 32
_LABELS: dict[str, Any] = {"id2label": {0: "cat", 1: "dog", 2: "tree"}, "label2id": {"cat": 0, "dog": 1, "tree": 2}}
_VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIDE,
    "patch_size": 8,
}


def write_tiny_kind(path: Path, kind: Kind) -> str:
    """Writes a classifier of three labels, for squares of `SIDE` pixels, and returns its folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _model(kind).save_pretrained(path)
    _processor(kind).save_pretrained(path)
    return str(path)


def _model(kind: Kind) -> PreTrainedModel:
    match kind:
        case "vit":
            return ViTForImageClassification(ViTConfig(**_VIT, **_LABELS))
        case "deit":
            return DeiTForImageClassification(DeiTConfig(**_VIT, **_LABELS))
        case "distilled deit":
            return DeiTForImageClassificationWithTeacher(DeiTConfig(**_VIT, **_LABELS))
        case "dinov2":
            return Dinov2ForImageClassification(Dinov2Config(**_VIT, mlp_ratio=2, **_LABELS))
        case "siglip":
            return SiglipForImageClassification(SiglipConfig(vision_config=_VIT, text_config={"num_hidden_layers": 1}, **_LABELS))
        case "swin":
            # A window of the whole input in the last stage, as in real ones.
            config = SwinConfig(embed_dim=8, depths=[1, 2], num_heads=[2, 2], window_size=4, image_size=SIDE, patch_size=4, **_LABELS)
            return SwinForImageClassification(config)
        case "convnext":
            return ConvNextForImageClassification(
                ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 2, 1], image_size=SIDE, **_LABELS)
            )


def _processor(kind: Kind) -> Any:
    square = {"height": SIDE, "width": SIDE}
    match kind:
        case "vit" | "swin":
            return ViTImageProcessorPil(size=square)
        case "deit" | "distilled deit":
            return DeiTImageProcessorPil(size={"height": SIDE + 4, "width": SIDE + 4}, crop_size=square)
        case "dinov2":
            return BitImageProcessorPil(size={"shortest_edge": SIDE + 4}, crop_size=square)
        case "siglip":
            return SiglipImageProcessorPil(size=square)
        case "convnext":
            return ConvNextImageProcessorPil(size={"shortest_edge": SIDE})

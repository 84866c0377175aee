"""Tiny checkpoints with random but seeded weights: the real model classes, small enough to build in a test, no network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    Deimv2Config,
    Deimv2ForObjectDetection,
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessorPil,
    HGNetV2Config,
    PreTrainedModel,
    ResNetConfig,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

from serve_app.checkpoints.decision import ClassifierDecision, View
from serve_app.runtimes.base import RunOptions

DetectorKind = Literal["detr", "rt_detr", "deimv2"]

ON_TORCH = RunOptions(runtime="torch")  # exporting a tiny network takes longer than all its predictions

SEED = 20260101


def write_tiny_classifier(path: Path, labels: Sequence[str] = ("female", "male"), views: tuple[View, ...] = ("person",)) -> Path:
    """Writes a ViT image classifier for views of 32 x 32 pixels, one above the other, to `path` and returns it.

    A classifier of two views says so in its `decision.json`; one of a single view has none.
    """
    height = 32 * len(views)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32 if height == 32 else [height, 32],
        patch_size=8,
        initializer_range=0.5,  # with the default 0.02, all photos would get the same logits
        **_labels(labels),
    )
    with _seeded():
        model = ViTForImageClassification(config)
    _save(path, model, ViTImageProcessorPil(size={"height": height, "width": 32}))
    if len(views) > 1:
        ClassifierDecision(views=views).write(path)
    return path


def write_tiny_detector(
    path: Path, kind: DetectorKind = "detr", labels: Sequence[str] = ("person", "dog"), *, signal: bool = False
) -> Path:
    """Writes an object detector to `path` and returns it.

    `detr` keeps the aspect ratio and pads batches; the other two resize every photo to 64 x 64 pixels. With `signal`, outputs depend on
    the content of the photo; without it, all places score nearly alike, and rounding decides which of them become queries.
    """
    with _seeded():
        model = _DETECTORS[kind](_labels(labels))
        if signal:
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.xavier_normal_(parameter)
    processor = (
        DetrImageProcessorPil(size={"shortest_edge": 48, "longest_edge": 96})
        if kind == "detr"
        else RTDetrImageProcessorPil(size={"height": 64, "width": 64})
    )
    return _save(path, model, processor)


def _detr(labels: dict[str, Any]) -> PreTrainedModel:
    backbone = ResNetConfig(layer_type="basic", **_backbone("stage4"))
    return DetrForObjectDetection(
        DetrConfig(
            backbone_config=backbone,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            num_queries=5,
            init_std=0.5,  # the default 0.02 makes all queries, and nearly all photos, the same
            **labels,
        )
    )


def _rt_detr(labels: dict[str, Any]) -> PreTrainedModel:
    backbone = RTDetrResNetConfig(layer_type="basic", **_backbone("stage2", "stage3", "stage4"))
    return RTDetrForObjectDetection(RTDetrConfig(backbone_config=backbone, encoder_in_channels=[8, 16, 16], **_SMALL_HEAD, **labels))


def _deimv2(labels: dict[str, Any]) -> PreTrainedModel:
    backbone = HGNetV2Config(
        stem_channels=[3, 8, 8],
        stage_in_channels=[8, 8, 8, 16],
        stage_mid_channels=[4, 4, 4, 4],
        stage_out_channels=[8, 8, 16, 16],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        **_backbone("stage2", "stage3", "stage4"),
    )
    return Deimv2ForObjectDetection(
        Deimv2Config(backbone_config=backbone, encoder_in_channels=[8, 16, 16], lqe_hidden_dim=8, **_SMALL_HEAD, **labels)
    )


def _backbone(*out_features: str) -> dict[str, Any]:
    return {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "out_features": list(out_features)}


_SMALL_HEAD: dict[str, Any] = {
    "d_model": 16,
    "encoder_hidden_dim": 16,
    "encoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_in_channels": [16, 16, 16],
    "decoder_layers": 2,
    "decoder_ffn_dim": 32,
    "decoder_attention_heads": 2,
    "decoder_n_points": 2,
    "num_queries": 10,
    "num_denoising": 0,
}

_DETECTORS = {"detr": _detr, "rt_detr": _rt_detr, "deimv2": _deimv2}


def _labels(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


@contextmanager
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        yield


def _save(path: Path, model: PreTrainedModel, processor: Any) -> Path:
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path

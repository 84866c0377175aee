"""The two measured pairs of models: the embedded ones, and a pair of production size.

The full-size ones are DETR with ResNet-50 (800 pixels on the short side, as facebook/detr-resnet-50) and ViT-B/16 (224 pixels). Their
weights are random, from a fixed seed: they take as long as trained ones. So that the classifier runs at all, a bias makes each of
DETR's 100 queries detect a person; these boxes overlap around the middle of the photo, and the strictest `max_overlap` keeps exactly one.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import torch
from transformers import (
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessorPil,
    ResNetConfig,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

from serve_app.checkpoints.decision import DetectorDecision
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR

SEED = 20260101
PERSON = 1  # its index in COCO's 91 classes
PERSON_BIAS = 10.0  # random logits are a tenth of it, so every query is sure


class Size(StrEnum):
    """Which pair."""

    EMBEDDED = "embedded"
    FULL_SIZE = "full-size"


@dataclass(frozen=True)
class ModelSet:
    """A detector and a classifier, both folders.

    Attributes:
        settings: of the service, where the defaults do not suit these models.
    """

    name: str
    detector: Path
    classifier: Path
    settings: Mapping[str, str] = field(default_factory=dict)


def model_set(size: Size, folder: Path) -> ModelSet:
    """The pair; the full-size one is written to `folder` the first time (0.5 GB)."""
    if size is Size.EMBEDDED:
        return ModelSet(size, Path(EMBEDDED_DETECTOR), Path(EMBEDDED_CLASSIFIER))
    home = folder / f"full-size-{SEED}"
    if not home.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            half_done = Path(scratch) / "checkpoints"
            write_detector(half_done / "detr-resnet-50")
            write_classifier(half_done / "vit-base-patch16-224")
            half_done.rename(home)
    return ModelSet(size, home / "detr-resnet-50", home / "vit-base-patch16-224", FULL_SIZE_SETTINGS)


# A photo takes a second or two, and every admitted photo must be answered within the deadline.
FULL_SIZE_SETTINGS = {"MAX_PHOTOS_IN_FLIGHT": "24", "REQUEST_DEADLINE_S": "50"}


def write_detector(path: Path) -> None:
    """Writes DETR with ResNet-50 that finds one person in each photo."""
    labels = {index: f"class {index}" for index in range(91)} | {PERSON: "person"}
    backbone = ResNetConfig(out_features=["stage4"])  # the defaults are ResNet-50
    config = DetrConfig(backbone_config=backbone, id2label=labels, label2id={name: index for index, name in labels.items()})
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = DetrForObjectDetection(config)
    with torch.no_grad():
        model.class_labels_classifier.bias[PERSON] += PERSON_BIAS
    model.save_pretrained(path)
    DetrImageProcessorPil(size={"shortest_edge": 800, "longest_edge": 1333}).save_pretrained(path)
    DetectorDecision(max_overlap=0.01).write(path)


def write_classifier(path: Path) -> None:
    """Writes ViT-B/16."""
    labels = {0: "female", 1: "male"}
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = ViTForImageClassification(ViTConfig(id2label=labels, label2id={name: index for index, name in labels.items()}))
    model.save_pretrained(path)
    ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(path)

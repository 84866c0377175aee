"""The layers of each kind of network, found in its structure."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from tests.support.classifier_kinds import SIDE, Kind, write_tiny_kind
from tune_training.train.layers import blocks, heads, parameter_groups
from tune_training.train.model import two_class_model
from tune_training.train.recipe import ClassifierRecipe

BLOCKS = {
    "vit": ["vit.layers.0", "vit.layers.1"],
    "deit": ["deit.layers.0", "deit.layers.1"],
    "distilled deit": ["deit.layers.0", "deit.layers.1"],
    "dinov2": ["dinov2.encoder.layer.0", "dinov2.encoder.layer.1"],
    "siglip": ["vision_model.encoder.layers.0", "vision_model.encoder.layers.1"],
    "swin": ["swin.encoder.layers.0.blocks.0", "swin.encoder.layers.1.blocks.0", "swin.encoder.layers.1.blocks.1"],
    "convnext": [
        "convnext.encoder.stages.0.layers.0",
        "convnext.encoder.stages.1.layers.0",
        "convnext.encoder.stages.2.layers.0",
        "convnext.encoder.stages.2.layers.1",
        "convnext.encoder.stages.3.layers.0",
    ],
}


@pytest.fixture(params=get_args(Kind))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def model(kind: Kind, tmp_path: Path) -> Any:
    return two_class_model(write_tiny_kind(tmp_path, kind), SIDE)


def rates(model: Any, recipe: ClassifierRecipe) -> dict[str, float]:
    """The learning rate of each parameter that is trained."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = parameter_groups(model, model, recipe)
    return {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}


def test_layers_near_the_head_learn_faster(model: Any, kind: Kind) -> None:
    found = rates(model, ClassifierRecipe(learning_rate=1.0, layer_decay=0.5))
    assert blocks(model) == BLOCKS[kind]
    depth = len(BLOCKS[kind])
    for number, block in enumerate(BLOCKS[kind], start=1):
        assert {rate for name, rate in found.items() if name.startswith(f"{block}.")} == {0.5 ** (depth + 1 - number)}
    assert {rate for name, rate in found.items() if "embeddings." in name} == {0.5 ** (depth + 1)}
    assert {rate for name, rate in found.items() if "classifier" in name} == {1.0}
    assert found.keys() == dict(model.named_parameters()).keys()


@pytest.mark.parametrize("kind", ["swin", "convnext"], indirect=True)
def test_what_halves_the_resolution_learns_like_the_block_before_it(model: Any, kind: Kind) -> None:
    found = rates(model, ClassifierRecipe(learning_rate=1.0, layer_decay=0.5))
    between = {rate for name, rate in found.items() if "downsampl" in name and ("stages.1" in name or "layers.0" in name)}
    assert between == {0.5 ** len(BLOCKS[kind])}


def test_a_linear_probe_trains_the_head_alone(model: Any) -> None:
    found = rates(model, ClassifierRecipe(linear_probe=True))
    assert found.keys() == {name for name in dict(model.named_parameters()) if "classifier" in name}
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == found.keys()


def test_frozen_layers_are_those_near_the_input(model: Any, kind: Kind) -> None:
    found = rates(model, ClassifierRecipe(frozen_layers=1))
    assert not any(name.startswith(f"{BLOCKS[kind][0]}.") or "embeddings." in name for name in found)
    assert any(name.startswith(f"{BLOCKS[kind][1]}.") for name in found)


def test_neither_norms_nor_biases_nor_embeddings_decay(model: Any) -> None:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = parameter_groups(model, model, ClassifierRecipe(weight_decay=0.1))
    decayed = {names[id(parameter)] for group in groups if group["weight_decay"] for parameter in group["params"]}
    assert any("classifier" in name for name in decayed)
    assert not [name for name in decayed if "bias" in name or "norm" in name or "embeddings." in name]


def test_the_head_is_what_tells_the_labels(model: Any, kind: Kind) -> None:
    assert [head.out_features for head in heads(model)] == [2] * (2 if kind == "distilled deit" else 1)


def test_what_is_added_to_a_classifier_learns_like_its_head(tmp_path: Path) -> None:
    classifier = two_class_model(write_tiny_kind(tmp_path, "vit"), SIDE)
    both = nn.ModuleDict({"classifier": classifier, "added": nn.Linear(2, 2)})
    groups: list[dict[str, Any]] = parameter_groups(both, classifier, ClassifierRecipe(linear_probe=True, learning_rate=0.5))
    trained: list[torch.Tensor] = [parameter for group in groups for parameter in group["params"]]
    assert len(trained) == 4
    assert {group["lr"] for group in groups} == {0.5}

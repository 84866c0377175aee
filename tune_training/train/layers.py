"""The layers of any image classifier of transformers, found in its structure: how fast each learns, and which do not."""

from itertools import pairwise

from torch import nn
from transformers import PreTrainedModel

from tune_training.train.recipe import ClassifierRecipe


def blocks(model: nn.Module) -> list[str]:
    """Names of the blocks that the network is a row of, from the input on.

    Networks keep them in lists (`nn.ModuleList`) of modules of one class, as ViT, DeiT, DINOv2 and SigLIP do, or in lists within such
    lists, as Swin and ConvNeXt: the innermost count. Lists of modules of several classes are parts of a block.
    """
    found: list[str] = []
    for name, module in model.named_children():
        inner = [f"{name}.{each}" for each in blocks(module)]
        if not inner and isinstance(module, nn.ModuleList) and len(module) and _alike(module):
            inner = [f"{name}.{index}" for index in range(len(module))]
        found += inner
    return found


def _alike(modules: nn.ModuleList) -> bool:
    return all(type(first) is type(second) for first, second in pairwise(modules))


def heads(model: PreTrainedModel) -> list[nn.Linear]:
    """The layers whose outputs are the labels' logits: one, or two of a distilled DeiT."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return [each for each in linear if each.out_features == model.config.num_labels]


def parameter_groups(model: nn.Module, classifier: PreTrainedModel, recipe: ClassifierRecipe) -> list[dict[str, object]]:
    """Layer-wise learning rates; no weight decay for norms, biases and embeddings. Frozen layers stop requiring gradients.

    Args:
        model: the classifier, or a module that holds it; what else it holds learns as fast as the head.
        classifier: of `LABELS`.
        recipe: the rates.
    """
    depth, level_of = _levels(classifier)
    trained_heads = {id(parameter) for head in heads(classifier) for parameter in head.parameters()}
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        level = level_of.get(id(parameter), depth + 1)
        probed = recipe.linear_probe and id(parameter) in level_of and id(parameter) not in trained_heads
        if probed or (recipe.frozen_layers and level <= recipe.frozen_layers):
            parameter.requires_grad_(False)
            continue
        groups.setdefault((level, parameter.ndim > 1 and level > 0 and "bias" not in name), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": recipe.learning_rate * recipe.layer_decay ** (depth + 1 - level),
            "weight_decay": recipe.weight_decay if decayed else 0.0,
        }
        for (level, decayed), parameters in groups.items()
    ]


def _levels(classifier: nn.Module) -> tuple[int, dict[int, int]]:
    """Number of blocks, and the level of each parameter by its id: 0 before the blocks, from 1 within them, one more behind them.

    What lies between two blocks, as layers that halve the resolution do, counts with the earlier one.
    """
    level_of_block = {name: number for number, name in enumerate(blocks(classifier), start=1)}
    levels: dict[int, int] = {}
    last = 0
    for name, parameter in classifier.named_parameters():
        parts = name.split(".")
        level = next((found for end in range(len(parts)) if (found := level_of_block.get(".".join(parts[:end])))), None)
        if level is None:
            level = last if last < len(level_of_block) else len(level_of_block) + 1
        else:
            last = level
        levels[id(parameter)] = level
    return len(level_of_block), levels

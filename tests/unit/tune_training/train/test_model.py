from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageClassification

from tests.support.checkpoints import write_tiny_classifier
from tune_training.train.model import image_processor, parameter_groups, two_class_model
from tune_training.train.recipe import ClassifierRecipe

SIZE = 32
RECIPE = ClassifierRecipe(epochs=2, batch_size=8, photos_per_epoch=24)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog", "tree")))


def test_another_image_size_interpolates_the_positions(start: str) -> None:
    before, after = two_class_model(start, 32), two_class_model(start, 48)
    assert after.config.image_size == 48
    assert after(pixel_values=torch.zeros(1, 3, 48, 48)).logits.shape == (1, 2)
    name = "vit.embeddings.position_embeddings"
    old, new = before.state_dict()[name], after.state_dict()[name]
    assert new.shape == (1, 1 + 6 * 6, 16)
    assert torch.equal(new[:, 0], old[:, 0])
    kept = [key for key in before.state_dict() if key != name and not key.startswith("classifier")]
    assert all(torch.equal(before.state_dict()[key], after.state_dict()[key]) for key in kept)


def test_layers_near_the_head_learn_faster(start: str) -> None:
    model = two_class_model(start, 32)
    groups = parameter_groups(model, RECIPE)
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}  # type: ignore[attr-defined]
    named = dict(model.named_parameters())
    assert set(rate) == {id(parameter) for parameter in named.values()}
    by_part = {
        part: {rate[id(parameter)] for name, parameter in named.items() if part in name}
        for part in ("embeddings", "layers.0.", "layers.1.", "classifier")
    }
    decay, top = RECIPE.layer_decay, RECIPE.learning_rate
    assert by_part == {
        "embeddings": {top * decay**3},
        "layers.0.": {top * decay**2},
        "layers.1.": {top * decay},
        "classifier": {top},
    }


@pytest.mark.parametrize("order", [("female", "male"), ("Male", "Female")], ids=str)
def test_a_start_of_these_labels_keeps_its_head_in_whichever_order(tmp_path: Path, order: tuple[str, str]) -> None:
    folder = write_tiny_classifier(tmp_path, order)
    before, after = AutoModelForImageClassification.from_pretrained(folder), two_class_model(str(folder), SIZE)
    for index, label in enumerate(name.lower() for name in order):
        assert torch.equal(after.classifier.weight[after.config.label2id[label]], before.classifier.weight[index])


def test_the_crops_are_normalised_as_the_start_was(tmp_path: Path) -> None:
    folder = write_tiny_classifier(tmp_path / "vit")
    assert list(image_processor(str(folder), SIZE).image_mean) == [0.5, 0.5, 0.5]
    (folder / "preprocessor_config.json").unlink()
    assert list(image_processor(str(folder), SIZE).image_mean) == [0.485, 0.456, 0.406]

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageClassification, PreTrainedModel

from serve_app.checkpoints.decision import View
from tests.support.checkpoints import write_tiny_classifier
from tune_training.io.errors import InputError
from tune_training.train.model import check_start, image_processor, parameter_groups, two_class_model
from tune_training.train.recipe import ClassifierRecipe

SIZE = 32
RECIPE = ClassifierRecipe(epochs=2, batch_size=8, photos_per_epoch=24)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog", "tree")))


POSITIONS = "vit.embeddings.position_embeddings"


def views_of(model: PreTrainedModel) -> torch.Tensor:
    """Position embeddings by view: (views, rows, columns, width)."""
    positions: torch.Tensor = model.state_dict()[POSITIONS][0, 1:]
    side = model.config.image_size[1] // model.config.patch_size
    return positions.reshape(2, side, side, -1)


@pytest.mark.parametrize("size", [32, 48])
def test_a_start_of_one_view_gives_each_of_the_two_the_positions_of_the_whole(start: str, size: int) -> None:
    before, after = AutoModelForImageClassification.from_pretrained(start), two_class_model(start, size)
    assert after.config.image_size == [2 * size, size]
    assert after(pixel_values=torch.zeros(1, 3, 2 * size, size)).logits.shape == (1, 2)
    old, new = before.state_dict()[POSITIONS], after.state_dict()[POSITIONS]
    assert new.shape == (1, 1 + 2 * (size // 8) ** 2, 16)
    assert torch.equal(new[:, 0], old[:, 0])
    head, person = views_of(after)
    assert torch.equal(head, person)
    torch.testing.assert_close(head.mean(dim=(0, 1)), old[0, 1:].mean(dim=0), atol=0.1, rtol=0)
    kept = [key for key in before.state_dict() if key != POSITIONS and not key.startswith("classifier")]
    assert all(torch.equal(before.state_dict()[key], after.state_dict()[key]) for key in kept)


def test_at_the_same_size_the_positions_are_those_of_the_start(start: str) -> None:
    before = AutoModelForImageClassification.from_pretrained(start).state_dict()[POSITIONS]
    torch.testing.assert_close(views_of(two_class_model(start, SIZE)), before[0, 1:].reshape(1, 4, 4, 16).expand(2, 4, 4, 16))


def test_a_start_of_two_views_is_kept_as_it_is(tmp_path: Path) -> None:
    folder = write_tiny_classifier(tmp_path, views=("head", "person"))
    before, after = AutoModelForImageClassification.from_pretrained(folder), two_class_model(str(folder), SIZE)
    assert after.config.image_size == before.config.image_size == [64, 32]
    torch.testing.assert_close(dict(after.state_dict()), dict(before.state_dict()))


def test_a_start_of_two_views_keeps_them_apart_at_another_size(tmp_path: Path) -> None:
    folder = str(write_tiny_classifier(tmp_path, views=("head", "person")))
    before, after = views_of(two_class_model(folder, SIZE)), views_of(two_class_model(folder, 48))
    assert after.shape == (2, 6, 6, 16)
    assert not torch.equal(*after)
    torch.testing.assert_close(after.mean(dim=(1, 2)), before.mean(dim=(1, 2)), atol=0.1, rtol=0)


@pytest.mark.parametrize(("views", "size"), [(("person",), 0), (("head", "person"), 0), (("person",), 48)])
def test_the_size_is_that_of_a_view(tmp_path: Path, views: tuple[View, ...], size: int) -> None:
    folder = write_tiny_classifier(tmp_path, views=views)
    assert check_start(str(folder), size, 0)[0] == (size or 32)
    with pytest.raises(InputError, match="views of 50 pixels are not a multiple of 8, the patch size of"):
        check_start(str(folder), 50, 0)


def test_the_processor_is_for_two_views(start: str) -> None:
    assert dict(image_processor(start, 48).size) == {"height": 96, "width": 48}


def test_layers_near_the_head_learn_faster(start: str) -> None:
    model = two_class_model(start, 32)
    groups = parameter_groups(model, model.config.num_hidden_layers, RECIPE)
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

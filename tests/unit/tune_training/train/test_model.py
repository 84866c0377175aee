from pathlib import Path
from typing import get_args

import pytest
import torch
from transformers import AutoModelForImageClassification, MobileViTImageProcessorPil, PreTrainedModel, ViTImageProcessorPil

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.checkpoints.decision import View
from serve_app.runtimes.networks import build, normalisation
from tests.support.checkpoints import write_tiny_classifier, write_tiny_detector
from tests.support.classifier_kinds import Kind, write_tiny_kind
from tune_training.io.errors import InputError
from tune_training.train.layers import parameter_groups
from tune_training.train.memory import PART_BYTES, photos_at_once, training_bytes
from tune_training.train.model import activation_bytes, check_start, image_processor, two_class_model
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
    groups = parameter_groups(model, model, RECIPE)
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


class TestStarts:
    """What the service would refuse is refused at once, in its words."""

    def test_no_classifier(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="transformers cannot load it .*DetrConfig"):
            check_start(str(write_tiny_detector(tmp_path)), 0, 0)

    def test_an_unknown_kind(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text('{"model_type": "newer"}')
        with pytest.raises(CheckpointError, match="transformers cannot load it .*newer"):
            check_start(str(tmp_path), 0, 0)

    def test_an_image_processor_that_does_more(self, tmp_path: Path) -> None:
        folder = write_tiny_classifier(tmp_path, ("male", "female"))
        MobileViTImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
        with pytest.raises(CheckpointError, match="does more than resizing and normalising") as refusal:
            check_start(str(folder), 0, 0)
        with pytest.raises(CheckpointError) as refused:
            build("classifier", Checkpoint(str(folder), folder, "", ""), None, torch.device("cpu"))
        assert str(refusal.value) == str(refused.value)

    def test_a_size_that_the_network_cannot_take(self, tmp_path: Path) -> None:
        """Swin's windows are those that it was trained with."""
        folder = write_tiny_kind(tmp_path, "swin")
        with pytest.raises(InputError, match="a 'swin' network cannot take 2 views of 16 x 16 pixels .*Try another --image-size"):
            check_start(folder, 16, 0)

    @pytest.mark.parametrize("kind", get_args(Kind))
    def test_the_size_is_the_one_that_the_start_was_trained_on(self, tmp_path: Path, kind: Kind) -> None:
        folder = write_tiny_kind(tmp_path, kind)
        assert check_start(folder, 0, 0)[0] == SIZE
        assert activation_bytes(folder, 2 * SIZE) > activation_bytes(folder, SIZE) > 10_000
        with pytest.raises(InputError, match="frozen_layers is 9, and .* has [235] layers"):
            check_start(folder, 0, 9)


def test_a_distilled_start_keeps_both_of_its_heads_and_a_position_for_each_token(tmp_path: Path) -> None:
    folder = write_tiny_kind(tmp_path, "distilled deit")
    before, after = AutoModelForImageClassification.from_pretrained(folder), two_class_model(folder, SIZE)
    old, new = (model.state_dict()["deit.embeddings.position_embeddings"] for model in (before, after))
    assert torch.equal(new[:, :2], old[:, :2])
    assert new.shape == (1, 2 + 2 * 16, 16)


def test_a_start_with_another_scale_of_pixels_is_normalised_as_it_was(tmp_path: Path) -> None:
    folder = str(write_tiny_classifier(tmp_path))
    theirs = ViTImageProcessorPil(size={"height": 64, "width": 32}, rescale_factor=1 / 127.5, image_mean=[1.0] * 3, image_std=[1.0] * 3)
    theirs.save_pretrained(folder)
    for one, other in zip(normalisation(image_processor(folder, SIZE)), normalisation(theirs), strict=True):
        torch.testing.assert_close(one, other)


def test_the_memory_of_training_grows_with_what_is_kept_at_once(start: str) -> None:
    needed = [training_bytes(start, SIZE, parameters, batch) for parameters, batch in ((0, 1), (0, 8), (10**9, 8), (10**9, 10**9))]
    assert needed == sorted(set(needed))
    assert needed[1] - needed[0] == 7 * activation_bytes(start, SIZE)
    assert needed[3] - training_bytes(start, SIZE, 10**9, 0) < PART_BYTES  # a larger batch is computed in parts


def test_a_processor_takes_as_many_photos_at_once_as_fit_and_a_gpu_all(start: str) -> None:
    assert photos_at_once(start, SIZE, torch.device("cpu")) == PART_BYTES // activation_bytes(start, SIZE)
    assert photos_at_once(start, SIZE, torch.device("cuda")) > 10**6

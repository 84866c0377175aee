from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageClassification

from serve_app.checkpoints import resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.settings import EMBEDDED_CLASSIFIER
from serve_app.vision.classifier import Classifier
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.drawn_photos import FigureFinder, columns, draw, save, write_portraits
from tune_training.data.photo import WHOLE_PHOTO
from tune_training.io.errors import InputError
from tune_training.train import model as module
from tune_training.train.model import (
    DECISION,
    ClassifierRecipe,
    image_processor,
    parameter_groups,
    train_classifier,
    two_class_model,
    with_boxes,
)
from tune_training.train.sampling import LabelledPerson, read_index

SIZE = 32
RECIPE = ClassifierRecipe(epochs=2, batch_size=8, photos_per_epoch=24)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog", "tree")))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPerson]:
    return read_index(write_portraits(tmp_path_factory.mktemp("portraits"), ["train"]), "train")


@pytest.fixture(scope="module")
def trained(start: str, people: list[LabelledPerson], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_classifier(start, people, tmp_path_factory.mktemp("run"), RECIPE, SIZE)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def labelled(path: Path) -> LabelledPerson:
    return LabelledPerson(path, "female", "drawn")


def test_the_result_loads_with_transformers_alone(trained: Path) -> None:
    model, report = AutoModelForImageClassification.from_pretrained(trained, output_loading_info=True)
    assert not report["missing_keys"]
    assert model.config.id2label == {0: "female", 1: "male"}
    assert model.config.label2id == {"female": 0, "male": 1}
    processor = AutoImageProcessor.from_pretrained(trained, backend="pil")
    assert model.float()(**processor(draw([]), return_tensors="pt")).logits.shape == (1, 2)


def test_the_result_is_in_half_precision_and_finite(trained: Path) -> None:
    assert {value.dtype for value in weights(trained).values()} == {torch.float16}
    assert all(value.isfinite().all() for value in weights(trained).values())


def test_the_result_is_served_at_the_size_that_it_was_trained_at(trained: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(resolve(str(trained), tmp_path), ON_TORCH)
    assert classifier.crop_spec.size == 32
    (probabilities,) = classifier([classifier.blank_crop()])
    assert set(probabilities) == {"female", "male"}


def test_it_learns_to_tell_the_labels_apart(start: str, people: list[LabelledPerson], tmp_path: Path) -> None:
    """Women are red and men are blue here."""
    recipe = replace(
        RECIPE, epochs=2, batch_size=16, photos_per_epoch=960, learning_rate=1e-2, layer_decay=1.0, label_smoothing=0.0, augmentation=0.5
    )
    classifier = Classifier.load(resolve(str(train_classifier(start, people, tmp_path, recipe, SIZE)), tmp_path), ON_TORCH)
    photos = [np.asarray(draw([(0, 0, 32, 32)], (32, 32), colour)) for colour in ((230, 20, 20), (20, 20, 230))]
    red, blue = classifier(photos)
    assert red["female"] > 0.7
    assert blue["male"] > 0.7


def test_an_interrupted_run_goes_on_to_the_same_weights(
    start: str, people: list[LabelledPerson], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Exception):
        pass

    def interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_checkpoint", interrupted)
        with pytest.raises(Interrupted):
            train_classifier(start, people, tmp_path, RECIPE, SIZE)
    resumed = weights(train_classifier(start, people, tmp_path, RECIPE, SIZE))
    for name, value in weights(trained).items():
        assert torch.equal(resumed[name], value), name


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


def test_frozen_layers_keep_their_weights_and_the_rest_learns(start: str, people: list[LabelledPerson], tmp_path: Path) -> None:
    before = two_class_model(start, SIZE).state_dict()
    folder = train_classifier(start, people, tmp_path, replace(RECIPE, frozen_layers=1, learning_rate=1e-2), SIZE)
    after = two_class_model(str(folder), SIZE).state_dict()
    kept = {name for name, value in after.items() if torch.equal(value, before[name].half().float())}
    assert kept >= {name for name in after if "embeddings" in name or "layers.0." in name}
    assert not {name for name in kept if "classifier" in name or ("layers.1." in name and name.endswith("weight") and "norm" not in name)}


def test_more_frozen_layers_than_there_are_are_refused(start: str, people: list[LabelledPerson], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frozen_layers is 3, and .* has 2 layers"):
        train_classifier(start, people, tmp_path, replace(RECIPE, frozen_layers=3), SIZE)


@pytest.mark.parametrize(
    "changed",
    [{"mixup": 0.4}, {"augmentation": 0.0}, {"photos_per_epoch": 0, "batch_size": 7}, {"photos_per_epoch": 0, "source_power": 1}],
    ids=str,
)
def test_each_part_of_the_recipe_changes_the_result(
    start: str, people: list[LabelledPerson], trained: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    other = weights(train_classifier(start, people, tmp_path, replace(RECIPE, **changed), SIZE))
    assert not all(torch.equal(value, other[name]) for name, value in weights(trained).items())
    assert all(value.isfinite().all() for value in other.values())


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


def test_no_photos_are_refused(start: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 photos"):
        train_classifier(start, [], tmp_path, RECIPE, SIZE)


def test_an_epoch_shorter_than_a_batch_is_refused(start: str, people: list[LabelledPerson], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 photos, that are drawn an epoch, make no batch of 8"):
        train_classifier(start, people, tmp_path, replace(RECIPE, photos_per_epoch=4), SIZE)


def test_the_box_of_the_person_is_found(tmp_path: Path) -> None:
    save(draw(columns(1)), tmp_path / "one.jpg")
    (person,) = with_boxes([labelled(tmp_path / "one.jpg")], FigureFinder().as_detector(), tmp_path / "boxes.json")
    assert person.box == pytest.approx((6 / 96, 8 / 64, 26 / 96, 60 / 64))


def test_photos_of_several_people_and_broken_files_are_left_out_and_empty_ones_stay_whole(tmp_path: Path) -> None:
    for count in range(4):
        save(draw(columns(count)), tmp_path / f"{count}.jpg")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:60])
    (tmp_path / "text.jpg").write_text("no image")
    photos = [labelled(tmp_path / name) for name in ("broken.jpg", "0.jpg", "2.jpg", "1.jpg", "text.jpg", "3.jpg")]
    kept = with_boxes(photos, FigureFinder().as_detector(), tmp_path / "boxes.json", batch_size=2)
    assert [person.path.name for person in kept] == ["0.jpg", "1.jpg"]
    assert kept[0].box == WHOLE_PHOTO


def test_photos_of_one_name_in_two_folders_keep_their_own_boxes(tmp_path: Path) -> None:
    """The shared data are such: train/male/x_00001.jpg and train/female/x_00001.jpg."""
    for label, figure in (("female", (0, 0, 48, 64)), ("male", (48, 0, 96, 64))):
        (tmp_path / label).mkdir()
        save(draw([figure]), tmp_path / label / "1.jpg")
    photos = [labelled(tmp_path / label / "1.jpg") for label in ("female", "male")]
    for _ in range(2):
        female, male = with_boxes(photos, FigureFinder().as_detector(), tmp_path / "boxes.json")
        assert (female.box, male.box) == ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))


def test_a_photo_is_looked_at_once(tmp_path: Path) -> None:
    for count in range(3):
        save(draw(columns(count)), tmp_path / f"{count}.jpg")
    photos = [labelled(tmp_path / f"{count}.jpg") for count in range(3)]
    finder, cache = FigureFinder(), tmp_path / "run" / "boxes.json"
    first = with_boxes(photos[:2], finder.as_detector(), cache)
    assert finder.photos == 2
    again = with_boxes(photos, finder.as_detector(), cache)
    assert finder.photos == 3
    assert again[:2] == first
    assert with_boxes(photos, finder.as_detector(), cache) == again
    assert finder.photos == 3


def test_another_detector_looks_again(tmp_path: Path) -> None:
    save(draw(columns(1)), tmp_path / "1.jpg")
    photos, cache = [labelled(tmp_path / "1.jpg")], tmp_path / "boxes.json"
    with_boxes(photos, FigureFinder("first").as_detector(), cache)
    second, stricter = FigureFinder("second"), FigureFinder("second")
    with_boxes(photos, second.as_detector(), cache)
    stricter.decision = stricter.decision.model_copy(update={"score_threshold": 0.95})
    (person,) = with_boxes(photos, stricter.as_detector(), cache)
    assert (second.photos, stricter.photos) == (1, 1)
    assert person.box == WHOLE_PHOTO


def test_the_crop_that_is_trained_on_and_written_is_that_of_the_embedded_weights() -> None:
    embedded = ClassifierDecision.read(Path(EMBEDDED_CLASSIFIER))
    assert (DECISION.crop_margin, DECISION.crop_aspect) == (embedded.crop_margin, embedded.crop_aspect)

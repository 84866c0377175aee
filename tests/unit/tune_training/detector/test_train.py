from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForObjectDetection, PreTrainedModel

from serve_app.checkpoints import resolve
from serve_app.vision.detector import Detector
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier, write_tiny_detector
from tests.support.drawn_photos import draw, write_people
from tune_training.detector import train as module
from tune_training.detector.recipe import DetectorRecipe
from tune_training.detector.train import parameter_groups, train_detector, two_class_model
from tune_training.io.errors import InputError

LABELS = ("dog", "person", "cat")
RECIPE = DetectorRecipe(epochs=2, batch_size=3, image_size=64, denoising_queries=4)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_detector(tmp_path_factory.mktemp("detector"), "deimv2", LABELS))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"), ["train"]) / "train.json"


@pytest.fixture(scope="module")
def trained(start: str, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_detector(start, people, tmp_path_factory.mktemp("run"), RECIPE)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def head_rows(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if "class_embed" in name or "enc_score_head" in name}


def test_of_every_class_head_the_row_of_the_person_is_kept_and_one_for_heads_is_new(start: str) -> None:
    many, two = head_rows(AutoModelForObjectDetection.from_pretrained(start)), head_rows(two_class_model(start, RECIPE))
    assert many
    for name, rows in many.items():
        assert len(two[name]) == 2, name
        torch.testing.assert_close(two[name][0], rows[1], rtol=0, atol=0)
        assert two[name].isfinite().all(), name


def test_a_start_that_knows_heads_keeps_them_in_whichever_order(tmp_path: Path) -> None:
    folder = str(write_tiny_detector(tmp_path, "deimv2", ("Head", "dog", "person")))
    many, two = head_rows(AutoModelForObjectDetection.from_pretrained(folder)), head_rows(two_class_model(folder, RECIPE))
    for name, rows in many.items():
        torch.testing.assert_close(two[name], rows[[2, 0]], rtol=0, atol=0)


def test_training_can_go_on_from_its_own_result(trained: Path) -> None:
    before, after = (
        AutoModelForObjectDetection.from_pretrained(trained).float().state_dict(),
        two_class_model(str(trained), RECIPE).state_dict(),
    )
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_the_embedding_of_denoised_labels_keeps_the_person_and_the_end(start: str, tmp_path: Path) -> None:
    many = AutoModelForObjectDetection.from_pretrained(start, num_denoising=4)
    many.save_pretrained(tmp_path)
    rows = many.state_dict()["model.denoising_class_embed.weight"]
    two = two_class_model(str(tmp_path), RECIPE).state_dict()["model.denoising_class_embed.weight"]
    assert len(two) == 3
    torch.testing.assert_close(two[[0, 2]], rows[[1, len(LABELS)]], rtol=0, atol=0)


def test_the_rest_of_the_start_is_kept(start: str) -> None:
    many, two = AutoModelForObjectDetection.from_pretrained(start).state_dict(), two_class_model(start, RECIPE).state_dict()
    shared = [name for name, value in many.items() if two[name].shape == value.shape]
    assert len(shared) > 100
    assert all(torch.equal(many[name], two[name]) for name in shared)


def test_a_start_in_half_precision_is_trained_in_full(start: str, tmp_path: Path) -> None:
    AutoModelForObjectDetection.from_pretrained(start).half().save_pretrained(tmp_path)
    assert two_class_model(str(tmp_path), RECIPE).dtype == torch.float32


def test_a_start_without_people_is_refused(tmp_path: Path) -> None:
    start = write_tiny_detector(tmp_path / "animals", "deimv2", ("dog", "cat"))
    with pytest.raises(InputError, match="animals: the starting checkpoint needs the class 'person'"):
        two_class_model(str(start), RECIPE)


def test_a_classifier_is_no_start(tmp_path: Path) -> None:
    start = write_tiny_classifier(tmp_path / "classifier")
    with pytest.raises(InputError, match="classifier: this is no detector of the DETR family"):
        two_class_model(str(start), RECIPE)


def test_every_parameter_is_trained_once(start: str) -> None:
    model = two_class_model(start, RECIPE)
    groups = parameter_groups(model, RECIPE)
    trained = [id(parameter) for group in groups for parameter in group["params"]]  # type: ignore[attr-defined]
    assert sorted(trained) == sorted(id(parameter) for parameter in model.parameters())
    for group in groups:
        for parameter in group["params"]:  # type: ignore[attr-defined]
            assert (group["weight_decay"] > 0) == (parameter.ndim > 1)  # type: ignore[operator]


def test_fewer_photos_than_a_batch_are_refused(start: str, people: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="9 photos are fewer than one batch of 10"):
        train_detector(start, people, tmp_path, DetectorRecipe(batch_size=10))


def test_the_result_loads_with_transformers_alone(trained: Path) -> None:
    model, report = AutoModelForObjectDetection.from_pretrained(trained, output_loading_info=True)
    assert not report["missing_keys"]
    assert model.config.id2label == {0: "person", 1: "head"}
    assert model.config.label2id == {"person": 0, "head": 1}
    processor = AutoImageProcessor.from_pretrained(trained, backend="pil")
    assert dict(processor.size) == {"height": 64, "width": 64}
    outputs = model.float().eval()(**processor(draw([]), return_tensors="pt"))
    assert outputs.logits.shape[-1] == 2


def test_the_result_is_in_half_precision_and_finite(trained: Path) -> None:
    values = [value for value in weights(trained).values() if value.is_floating_point()]
    assert {value.dtype for value in values} == {torch.float16}
    assert all(value.isfinite().all() for value in values)


def test_the_result_is_served(trained: Path, tmp_path: Path) -> None:
    detector = Detector.load(resolve(str(trained), tmp_path), ON_TORCH, {"score_threshold": 0.0, "head_threshold": 0.0})
    (people,) = detector([np.asarray(draw([]))])
    assert any(person.body_found for person in people)
    assert any(person.head for person in people)
    assert all(person.heads_known for person in people)


def test_training_changes_the_weights(start: str, trained: Path) -> None:
    before = two_class_model(start, RECIPE).half().state_dict()
    assert not all(torch.equal(value, before[name]) for name, value in weights(trained).items())


def test_an_interrupted_run_goes_on_to_the_same_weights(
    start: str, people: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Exception):
        pass

    def interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_checkpoint", interrupted)
        with pytest.raises(Interrupted):
            train_detector(start, people, tmp_path, RECIPE)
    resumed = weights(train_detector(start, people, tmp_path, RECIPE))
    for name, value in weights(trained).items():
        assert torch.equal(resumed[name], value), name

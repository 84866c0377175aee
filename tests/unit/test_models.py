"""Loading weights: as float32, whole, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForImageClassification, AutoModelForObjectDetection

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.models import blank_photo, load_model, load_processor, pick_device
from tests.support.checkpoint_files import truncate
from tests.support.checkpoints import DetectorKind, write_tiny_classifier, write_tiny_detector

CPU = torch.device("cpu")


def checkpoint(path: Path) -> Checkpoint:
    """A checkpoint that nobody checked before it is loaded."""
    return Checkpoint("s3://models/tiny/", path, "tiny", "0")


def test_weights_are_loaded_for_inference(tmp_path: Path) -> None:
    model = load_model(AutoModelForImageClassification, checkpoint(write_tiny_classifier(tmp_path)), CPU)
    assert not model.training
    assert model.device == CPU
    stored = load_file(tmp_path / "model.safetensors")["classifier.weight"]
    assert model.get_parameter("classifier.weight").tolist() == stored.tolist()


@pytest.mark.parametrize("kind", ["detr", "rt_detr", "deimv2"])
def test_every_kind_of_detector_is_loaded_whole(kind: DetectorKind, tmp_path: Path) -> None:
    model = load_model(AutoModelForObjectDetection, checkpoint(write_tiny_detector(tmp_path, kind)), CPU)
    assert model.config.model_type == kind


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_computed_in_float32_on_the_cpu(dtype: torch.dtype, tmp_path: Path) -> None:
    write_tiny_classifier(tmp_path)
    AutoModelForImageClassification.from_pretrained(tmp_path).to(dtype).save_pretrained(tmp_path)
    model = load_model(AutoModelForImageClassification, checkpoint(tmp_path), CPU)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def without_a_tensor(weights: Path) -> None:
    tensors = load_file(weights)
    del tensors["classifier.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})


def with_another_shape(weights: Path) -> None:
    tensors = load_file(weights)
    tensors["classifier.weight"] = tensors["classifier.weight"][:, :5].copy()
    save_file(tensors, weights, metadata={"format": "pt"})


@pytest.mark.filterwarnings("ignore")  # transformers says it once more, as a warning
@pytest.mark.parametrize("damage", [without_a_tensor, with_another_shape, truncate, Path.unlink])
def test_damaged_weights_are_an_error_that_names_the_uri(damage: Callable[[Path], None], tmp_path: Path) -> None:
    damage(write_tiny_classifier(tmp_path) / "model.safetensors")
    with pytest.raises(CheckpointError, match="'s3://models/tiny/'") as refused:
        load_model(AutoModelForImageClassification, checkpoint(tmp_path), CPU)
    if damage is without_a_tensor:
        assert "classifier.weight" in str(refused.value)


def test_a_model_for_something_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'s3://models/tiny/'"):
        load_model(AutoModelForObjectDetection, checkpoint(write_tiny_classifier(tmp_path)), CPU)


@pytest.mark.parametrize("text", [None, "{", "{}", '{"image_processor_type": "NoSuchProcessor"}'])
def test_a_processor_that_cannot_be_used_is_an_error(text: str | None, tmp_path: Path) -> None:
    config = tmp_path / "preprocessor_config.json"
    if text is not None:
        config.write_text(text)
    with pytest.raises(CheckpointError, match=r"'s3://models/tiny/': preprocessor_config.json cannot be used"):
        load_processor(checkpoint(tmp_path))


def test_the_device_is_cuda_only_where_there_is_one() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == CPU


def test_the_blank_photo_is_a_photo() -> None:
    assert blank_photo().shape[2] == 3
    assert str(blank_photo().dtype) == "uint8"

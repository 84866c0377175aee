"""Weights are loaded completely, as float32, or not at all; a network handles pixels exactly as transformers does."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import (
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    BaseImageProcessor,
    CLIPImageProcessorPil,
    ConditionalDetrImageProcessorPil,
    DeiTImageProcessorPil,
    DetrImageProcessorPil,
    EfficientNetImageProcessorPil,
    MobileViTImageProcessorPil,
    RTDetrImageProcessorPil,
    ViTImageProcessorPil,
    YolosImageProcessorPil,
)

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.runtimes.networks import build, load_model, load_processor, normalisation, trained_size
from tests.support.checkpoint_files import truncate
from tests.support.checkpoints import DetectorKind, write_tiny_classifier, write_tiny_detector

CPU = torch.device("cpu")


def checkpoint(path: Path) -> Checkpoint:
    """A checkpoint that has not been validated."""
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


@pytest.mark.filterwarnings("ignore")  # transformers warns about it too
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


@pytest.mark.parametrize(
    ("processor", "size"),
    [
        (ViTImageProcessorPil(size={"height": 224, "width": 224}), 224),
        (ViTImageProcessorPil(size={"shortest_edge": 160}), 160),
        (DeiTImageProcessorPil(size={"height": 256, "width": 256}, crop_size={"height": 224, "width": 224}), 224),
        (CLIPImageProcessorPil(size={"shortest_edge": 96}, crop_size={"height": 64, "width": 64}), 64),
    ],
)
def test_a_classifier_was_trained_on_what_its_processor_leaves(processor: BaseImageProcessor, size: int) -> None:
    assert trained_size(processor) == (size, size)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        {"do_normalize": False},
        {"do_rescale": False},
        {"rescale_factor": 1 / 127.5},
        {"do_rescale": False, "do_normalize": False},
    ],
)
def test_normalisation_is_what_the_processor_itself_does(options: dict[str, Any]) -> None:
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, **options)
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    expected = processor(images=crop, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    mean, deviation = normalisation(processor)
    pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].float()
    assert torch.allclose((pixels - mean) / deviation, expected.float(), rtol=1e-5, atol=1e-5)


PROCESSORS: list[BaseImageProcessor] = [
    DetrImageProcessorPil(size={"shortest_edge": 80, "longest_edge": 133}),
    ConditionalDetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 640}),
    RTDetrImageProcessorPil(size={"height": 64, "width": 96}),
    DetrImageProcessorPil(size={"height": 64, "width": 64}, image_mean=[0.5] * 3, image_std=[0.25] * 3),
    YolosImageProcessorPil(size={"shortest_edge": 160, "longest_edge": 1333}),
]
SHAPES = [(80, 133), (133, 80), (40, 400), (400, 40), (97, 53), (300, 301), (80, 80), (1024, 681)]


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: type(processor).__name__)
def test_photos_are_resized_and_normalised_as_the_processor_does_it(processor: BaseImageProcessor, tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path)
    processor.save_pretrained(path)
    resize = build("detector", checkpoint(path), None, CPU).facts.resize
    mean, deviation = normalisation(processor)
    for shape in SHAPES:
        photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        expected = processor(images=photo, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        ours = (torch.from_numpy(resize(photo).copy()).permute(2, 0, 1)[None].float() - mean) / deviation
        assert ours.shape == expected.shape
        assert torch.allclose(ours, expected.float(), atol=1e-4)


def test_a_processor_that_does_more_is_refused(tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path)
    DetrImageProcessorPil(size={"height": 64, "width": 64}, pad_size={"height": 100, "width": 100}).save_pretrained(path)
    with pytest.raises(CheckpointError, match="does more than resizing and normalising, or does it otherwise: do_pad is not supported"):
        build("detector", checkpoint(path), None, CPU)


EFFICIENTNET = {"size": {"height": 32, "width": 32}, "image_std": [0.4785, 0.473, 0.474]}


@pytest.mark.parametrize(
    "processor",
    [
        ViTImageProcessorPil(size={"height": 32, "width": 32}),
        DeiTImageProcessorPil(size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32}),
        EfficientNetImageProcessorPil(**EFFICIENTNET),
        EfficientNetImageProcessorPil(**EFFICIENTNET, rescale_offset=True, rescale_factor=1 / 127.5, include_top=False),
        EfficientNetImageProcessorPil(**EFFICIENTNET, rescale_offset=True, rescale_factor=1 / 127.5, include_top=False, do_normalize=False),
        EfficientNetImageProcessorPil(**EFFICIENTNET, rescale_offset=True, rescale_factor=1 / 127.5, do_normalize=False),
        EfficientNetImageProcessorPil(**EFFICIENTNET, rescale_offset=True, do_rescale=False),
    ],
    ids=lambda processor: type(processor).__name__,
)
def test_a_classifier_gets_the_pixels_that_its_processor_makes_of_a_crop(processor: BaseImageProcessor, tmp_path: Path) -> None:
    path = write_tiny_classifier(tmp_path)
    processor.save_pretrained(path)
    network = build("classifier", checkpoint(path), None, CPU)
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    pixels = processor(images=crop, return_tensors="pt", input_data_format="channels_last", do_resize=False, do_center_crop=False)
    model = AutoModelForImageClassification.from_pretrained(path).eval()
    with torch.inference_mode():
        (ours,) = network.module(torch.from_numpy(crop)[None])
        assert torch.allclose(ours, model(**pixels).logits, atol=1e-4)


def test_a_classifier_of_two_views_is_tried_at_its_own_size(tmp_path: Path) -> None:
    path = write_tiny_classifier(tmp_path, views=("head", "person"))
    assert build("classifier", checkpoint(path), None, CPU).facts.resize.exact == (64, 32)
    flipped = MobileViTImageProcessorPil(size={"height": 64, "width": 32}, do_center_crop=False)
    flipped.save_pretrained(path)
    with pytest.raises(CheckpointError, match="do_flip_channel_order is not supported"):
        build("classifier", checkpoint(path), None, CPU)


@pytest.mark.parametrize("size", [None, 48])
def test_a_classifier_whose_processor_flips_the_channels_is_refused(size: int | None, tmp_path: Path) -> None:
    path = write_tiny_classifier(tmp_path)
    MobileViTImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}).save_pretrained(path)
    with pytest.raises(CheckpointError, match=r"'s3://models/tiny/': its image processor \(MobileViT.*: do_flip_channel_order is not supp"):
        build("classifier", checkpoint(path), size, CPU)


def test_the_same_processor_without_the_flip_is_taken(tmp_path: Path) -> None:
    path = write_tiny_classifier(tmp_path)
    MobileViTImageProcessorPil(size={"shortest_edge": 32}, do_center_crop=False, do_flip_channel_order=False).save_pretrained(path)
    assert build("classifier", checkpoint(path), None, CPU).facts.resize.exact == (32, 32)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("detr", ("person", "dog")),
        ("detr", ("dog", "person")),
        ("rt_detr", ("person", "dog")),
        ("rt_detr", ("dog", "person")),
        ("deimv2", ("person",)),
        ("deimv2", ("dog", "person")),
        ("deimv2", ("head", "person")),
        ("rt_detr", ("head", "dog", "person")),
    ],
)
def test_scores_and_boxes_are_those_of_the_checkpoints_own_processor(kind: DetectorKind, labels: tuple[str, ...], tmp_path: Path) -> None:
    path = write_tiny_detector(tmp_path, kind, labels, signal=kind != "detr")
    network = build("detector", checkpoint(path), None, CPU)
    model, processor = AutoModelForObjectDetection.from_pretrained(path).eval(), load_processor(checkpoint(path))
    mean, deviation = normalisation(processor)
    # Patches: in a uniform photo all positions score alike, and rounding would decide which become queries.
    patches = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    pixels = torch.from_numpy(patches.repeat(8, axis=1).repeat(8, axis=2))
    with torch.inference_mode():
        scores, boxes = network.module(pixels)
        outputs = model(pixel_values=(pixels.permute(0, 3, 1, 2).float() - mean) / deviation)
        results = processor.post_process_object_detection(outputs, threshold=0.0)
    assert network.facts.labels == (("person", "head") if "head" in labels else ("person",))
    compared = 0
    rows = zip(scores, boxes, results, strict=True)
    for (photo_scores_of_classes, photo_boxes, found), (column, name) in product(rows, enumerate(network.facts.labels)):
        mine = found["labels"] == labels.index(name)
        if mine.any():
            photo_scores = photo_scores_of_classes[:, column]
            kept = photo_scores > found["scores"][mine].min() - 1e-6  # some processors keep only the best
            ours = torch.column_stack([photo_scores[kept], photo_boxes[kept]])
            expected = torch.column_stack([found["scores"][mine], found["boxes"][mine]])
            assert len(ours) == len(expected)
            differences = (ours[:, None] - expected).abs().amax(-1)
            assert differences.amin(0).max() < 1e-5
            assert differences.amin(1).max() < 1e-5
            compared += len(ours)
    assert compared

"""The two models as torch modules: resized uint8 pixels in; scores and boxes, or logits, out.

Normalisation and the meaning of the logits are part of the module, so both runtimes feed it pixels and nothing else. Only the PyTorch
runtime and the export for OpenVINO import this file: that takes seconds and 300 MB.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    BaseImageProcessor,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.runtimes.base import CLASSES, LABELS, PERSON, Facts, Role
from serve_app.runtimes.resizing import ResizeSpec

transformers_logging.disable_progress_bar()  # they would fill the log of every replica

YOLOS_MULTIPLE = 16
# Options of image processors that this module carries out, or that say nothing about photos. A classifier's crops are made in the size
# that a centre crop would leave.
CARRIED_OUT = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "rescale_offset", "include_top"}
CARRIED_OUT |= {"do_convert_annotations"}


@dataclass(frozen=True)
class Network:
    """A module in eval mode, float32 on the CPU, and the facts about it."""

    module: nn.Module
    facts: Facts


class PersonNetwork(nn.Module):
    """Any DETR-family detector: pixels (n, H, W, 3) uint8 to scores (n, queries, classes) and boxes (n, queries, 4).

    Boxes are [x0, y0, x1, y1] relative to the photo and may reach beyond it.

    Args:
        classes: indices of the classes that are wanted; the scores are in their order.
        softmax: the logits include "no object" as the last class and go through a softmax (Carion et al. 2020, DETR); otherwise each
            goes through a sigmoid (Zhu et al. 2021, Deformable DETR, and its successors).
    """

    def __init__(self, model: PreTrainedModel, processor: BaseImageProcessor, classes: Sequence[int], *, softmax: bool) -> None:
        super().__init__()
        self.model = model
        self._classes = list(classes)
        self._softmax = softmax
        self._mean, self._deviation = (nn.Buffer(values) for values in normalisation(processor))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and boxes."""
        outputs = self.model(pixel_values=_normal(pixels, self._mean, self._deviation, self.model.dtype))
        logits, boxes = outputs.logits.float(), outputs.pred_boxes.float()
        if self._softmax:
            probabilities = logits.softmax(-1)[..., :-1]
            # A query counts only for its most probable class.
            best = functional.one_hot(probabilities.argmax(-1), probabilities.shape[-1])
            scores = (probabilities * best)[..., self._classes]
        else:
            scores = logits[..., self._classes].sigmoid()
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        return scores, torch.cat([centre - half, centre + half], dim=-1)


class GenderNetwork(nn.Module):
    """Any image classifier: pixels (n, height, width, 3) uint8 to logits (n, labels).

    Args:
        options: see `position_options`.
    """

    def __init__(self, model: PreTrainedModel, processor: BaseImageProcessor, options: Mapping[str, bool]) -> None:
        super().__init__()
        self.model = model
        self._options = dict(options)
        self._mean, self._deviation = (nn.Buffer(values) for values in normalisation(processor))

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """Logits."""
        return (self.model(pixel_values=_normal(pixels, self._mean, self._deviation, self.model.dtype), **self._options).logits.float(),)


def _normal(pixels: Tensor, mean: Tensor, deviation: Tensor, dtype: torch.dtype) -> Tensor:
    # Permuted, the pixels stay channels-last in memory, where convolutions on a CPU are fastest.
    return ((pixels.permute(0, 3, 1, 2).float() - mean) / deviation).to(dtype)


def build(role: Role, checkpoint: Checkpoint, input_size: int | None, device: torch.device) -> Network:
    """Loads a checkpoint as the network of a role.

    Args:
        input_size: side of the square input, pixels; overrides the size in `preprocessor_config.json`.

    Raises:
        CheckpointError: it cannot be loaded, its classes do not suit the role, or its image processor does more than resizing and
            normalising.
    """
    network = (_person_network if role == "detector" else _gender_network)(checkpoint, input_size, device)
    network.module.to(device).eval()
    return network


def _person_network(checkpoint: Checkpoint, input_size: int | None, device: torch.device) -> Network:
    model = load_model(AutoModelForObjectDetection, checkpoint, device)
    labels = {str(name).lower(): int(index) for index, name in model.config.id2label.items()}
    if PERSON not in labels:
        raise CheckpointError(checkpoint.uri, f"it has no class {PERSON!r}, only {sorted(labels)[:10]}", "Use a detector of people")
    processor = load_processor(checkpoint)
    resize = _resize_of_detector(checkpoint, processor, input_size)
    wanted = tuple(name for name in CLASSES if name in labels)
    module = PersonNetwork(model, processor, [labels[name] for name in wanted], softmax=_uses_softmax(processor, len(labels)))
    return Network(module, Facts(resize=resize, labels=wanted))


def _gender_network(checkpoint: Checkpoint, input_size: int | None, device: torch.device) -> Network:
    model = load_model(AutoModelForImageClassification, checkpoint, device)
    names = tuple(str(model.config.id2label[index]).lower() for index in range(model.config.num_labels))
    if sorted(names) != sorted(LABELS):
        raise CheckpointError(checkpoint.uri, f"its labels are {list(names[:10])}, not male and female", "Use a gender classifier")
    processor = load_processor(checkpoint)
    height, width = (input_size, input_size) if input_size else trained_size(processor)
    of_network: int | Sequence[int] = getattr(model.config, "image_size", height)
    if not isinstance(of_network, int) and tuple(of_network) != (height, width):
        raise CheckpointError(
            checkpoint.uri,
            f"its input is {of_network[1]} x {of_network[0]} pixels and cannot be {width} x {height}",
            "Leave `input_size` out: only networks of square images take other sizes",
        )
    resize = resize_of_classifier(checkpoint, processor, height, width)
    return Network(GenderNetwork(model, processor, position_options(model.config, height, width)), Facts(resize=resize, labels=names))


def position_options(config: PretrainedConfig, height: int, width: int) -> dict[str, bool]:
    """Arguments of a classifier's forward: position embeddings are interpolated for an input size other than the checkpoint's own."""
    of_network = image_setting(config, "image_size")
    return {"interpolate_pos_encoding": True} if isinstance(of_network, int) and (height, width) != (of_network, of_network) else {}


def image_setting(config: PretrainedConfig, name: str) -> Any:
    """What a configuration says of the images, None if nothing; SigLIP and CLIP have a configuration for them within the configuration."""
    return getattr(getattr(config, "vision_config", config), name, None)


def resize_of_classifier(checkpoint: Checkpoint, processor: BaseImageProcessor, height: int, width: int) -> ResizeSpec:
    """How crops are resized for a classifier.

    Raises:
        CheckpointError: its image processor does more than resizing and normalising.
    """
    resize = ResizeSpec(exact=(height, width), resample=int(processor.resample))
    # On a crop of the right size: how a person is cropped is for `decision.json` to say.
    if not _tells_the_same(processor, resize, [_drawn(height, width)], {"do_resize": False, "do_center_crop": False}):
        raise _does_more(checkpoint, processor, "Use a checkpoint whose image processor resizes, rescales and normalises")
    return resize


def load_model(auto_class: Any, checkpoint: Checkpoint, device: torch.device, **options: Any) -> PreTrainedModel:
    """Loads weights (safetensors only) as float32 for the CPU, or as stored for CUDA, in eval mode.

    Raises:
        CheckpointError: transformers cannot load it, or some weights are missing.
    """
    # By default, transformers 5 keeps the file's dtype, and half precision is slow on CPUs.
    dtype = torch.float32 if device.type == "cpu" else "auto"
    try:
        model, report = auto_class.from_pretrained(
            checkpoint.path, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:
        raise cannot_load(checkpoint.uri, error) from error
    if missing := sorted(report["missing_keys"]):
        problem = f"its weights lack {len(missing)} parameters, such as {missing[0]}"
        raise CheckpointError(checkpoint.uri, problem, "Save the model again with `save_pretrained`")
    model = model.to(device).eval()
    if device.type == "cpu":
        model = model.to(memory_format=torch.channels_last)  # convolutions run 1.5 times as fast
    loaded: PreTrainedModel = model
    return loaded


def cannot_load(uri: str, error: Exception) -> CheckpointError:
    """What is said of a model that transformers does not load for the role."""
    reason = str(error).partition("Model type should be one of")[0].strip()  # a list of sixty
    return CheckpointError(
        uri, f"transformers cannot load it ({reason})", "Check config.json, or save the model again with `save_pretrained`"
    )


def load_processor(checkpoint: Checkpoint) -> BaseImageProcessor:
    """Loads `preprocessor_config.json`.

    Raises:
        CheckpointError: it is missing, or transformers cannot use it.
    """
    try:
        # Pillow's backend needs no torchvision, and resizes the same in training and serving on every machine.
        processor: BaseImageProcessor = AutoImageProcessor.from_pretrained(checkpoint.path, local_files_only=True, backend="pil")
    except Exception as error:
        raise CheckpointError(
            checkpoint.uri, f"preprocessor_config.json cannot be used ({error})", "Save the image processor again with `save_pretrained`"
        ) from error
    return processor


def trained_size(processor: BaseImageProcessor) -> tuple[int, int]:
    """(height, width) that a classifier was trained on, pixels: the centre crop's, if its processor makes one."""
    wanted = dict(processor.crop_size if getattr(processor, "do_center_crop", None) else processor.size)
    height = int(wanted.get("height") or wanted["shortest_edge"])
    return height, int(wanted.get("width") or height)


def normalisation(processor: BaseImageProcessor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (1, 3, 1, 1) of pixels of 0 to 255: rescaling and normalisation in one step."""
    scale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    shape = (1, 3, 1, 1)
    mean, deviation = torch.zeros(shape), torch.ones(shape)
    if processor.do_normalize:
        mean, deviation = (torch.tensor(values).reshape(shape) for values in (processor.image_mean, processor.image_std))
    # Both are EfficientNet's: pixels of -1 to 1, and a second division by the deviation.
    if processor.do_rescale and getattr(processor, "rescale_offset", False):
        mean = mean + 1.0
    if getattr(processor, "include_top", False):
        deviation = deviation * torch.tensor(processor.image_std).reshape(shape)
    return mean / scale, deviation / scale


def _resize_of_detector(checkpoint: Checkpoint, processor: BaseImageProcessor, input_size: int | None) -> ResizeSpec:
    """The processor's rule of resizing, verified on photos of two shapes: with a wrong one, answers would be worse without an error."""
    options = {"size": {"height": input_size, "width": input_size}} if input_size else {}
    size = {key: value for key, value in dict(options.get("size") or processor.size).items() if value}
    resample = int(processor.resample)
    if {"height", "width"} <= size.keys():
        candidates = [ResizeSpec(exact=(size["height"], size["width"]), resample=resample)]
    elif {"shortest_edge", "longest_edge"} <= size.keys():
        edges = (size["shortest_edge"], size["longest_edge"])
        candidates = [ResizeSpec(edges=edges, multiple=multiple, resample=resample) for multiple in (1, YOLOS_MULTIPLE)]
    else:
        candidates = []
    photos = [_drawn(75, 110), _drawn(173, 67)]
    for spec in candidates:
        if _tells_the_same(processor, spec, photos, options):
            return spec
    raise _does_more(
        checkpoint, processor, "Save it with `size` as height and width, or as shortest_edge and longest_edge, and without padding"
    )


def _tells_the_same(
    processor: BaseImageProcessor, resize: ResizeSpec, photos: Sequence[NDArray[np.uint8]], options: dict[str, Any]
) -> bool:
    """Whether the network gets the pixels that the checkpoint's own processor, called with `options`, makes of the photos."""
    mean, deviation = normalisation(processor)
    for photo in photos:
        wanted: Tensor = processor(images=photo, return_tensors="pt", input_data_format="channels_last", **options)["pixel_values"]
        ours = _normal(torch.from_numpy(resize(photo).copy())[None], mean, deviation, torch.float32)
        if ours.shape != wanted.shape or not torch.allclose(ours, wanted.float(), atol=1e-3):
            return False
    return True


def _does_more(checkpoint: Checkpoint, processor: BaseImageProcessor, advice: str) -> CheckpointError:
    options = processor.to_dict()
    others = sorted(name for name, value in options.items() if value is True and name not in CARRIED_OUT) or [f"size {options.get('size')}"]
    problem = f"its image processor ({type(processor).__name__}) does more than resizing and normalising, or does it otherwise"
    return CheckpointError(checkpoint.uri, f"{problem}: {', '.join(others)} is not supported", advice)


def _drawn(height: int, width: int) -> NDArray[np.uint8]:
    """A picture in which every channel, place and direction is told from the others."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], axis=-1).astype(np.uint8)


def _uses_softmax(processor: BaseImageProcessor, classes: int) -> bool:
    """Whether the checkpoint's own processor applies a softmax to the logits; it is asked about one query.

    The sigmoid of the logit 2 is 0.88; its softmax beside "no object" and the other classes at 0 is less.
    """

    class Outputs:
        logits = torch.zeros(1, 1, classes + 1)
        pred_boxes = torch.full((1, 1, 4), 0.5)

    Outputs.logits[0, 0, 0] = 2.0
    (found,) = processor.post_process_object_detection(Outputs, threshold=0.0)
    sigmoid = torch.tensor(2.0).sigmoid().item()
    return not math.isclose(found["scores"].max().item(), sigmoid, abs_tol=1e-3)

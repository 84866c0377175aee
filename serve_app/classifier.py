"""The gender classifier: crops of one person in, calibrated probabilities out. Knows nothing of Ray or HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageClassification, BaseImageProcessor, PreTrainedModel

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.cropping import RGB, CropSpec
from serve_app.decision import ClassifierDecision
from serve_app.models import load_model, load_processor, pick_device
from serve_app.settings import Device

LABELS = frozenset({"male", "female"})


class Classifier:
    """Any `AutoModelForImageClassification` checkpoint whose labels are male and female, in any order."""

    def __init__(self, model: PreTrainedModel, processor: BaseImageProcessor, decision: ClassifierDecision, checkpoint: Checkpoint) -> None:
        self._model = model
        self._names = [str(model.config.id2label[index]).lower() for index in range(model.config.num_labels)]
        self._interpolate = decision.input_size is not None and decision.input_size != getattr(model.config, "image_size", None)
        self.decision = decision
        self.checkpoint = checkpoint
        self.crop_spec = crop_spec(processor, decision)
        self._mean, self._deviation = (values.to(model.device) for values in normalisation(processor))

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: Device = "auto", overrides: Mapping[str, Any] | None = None) -> Self:
        """Loads the checkpoint; `overrides` replace values of its `decision.json`.

        Raises:
            CheckpointError: it cannot be loaded, or its labels are others than male and female.
            DecisionError: its decision, or an override, is not valid.
        """
        decision = ClassifierDecision.read(checkpoint.path, overrides)
        model = load_model(AutoModelForImageClassification, checkpoint, pick_device(device))
        labels = [str(name).lower() for name in model.config.id2label.values()]
        if len(labels) != len(LABELS) or set(labels) != LABELS:
            raise CheckpointError(checkpoint.uri, f"its labels are {labels[:10]}, not male and female", "Use a gender classifier")
        return cls(model, load_processor(checkpoint), decision, checkpoint)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        device: torch.device = self._model.device
        return device

    def logits(self, crops: Sequence[RGB]) -> Tensor:
        """Logits (n, 2) of crops of shape (size, size, 3), uint8, made with `crop_spec`; columns in the checkpoint's order."""
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)  # channels last in memory already
            normal = ((pixels.float() - self._mean) / self._deviation).to(self._model.dtype)
            options = {"interpolate_pos_encoding": True} if self._interpolate else {}
            logits: Tensor = self._model(pixel_values=normal, **options).logits
            if not torch.isfinite(logits).all():
                raise FloatingPointError("the classifier's logits are not finite")
            return logits.float()

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        """Probabilities by label name, for each crop."""
        if not crops:
            return []
        probabilities = torch.softmax(self.logits(crops) / self.decision.temperature, dim=-1).cpu().tolist()
        return [dict(zip(self._names, row, strict=True)) for row in probabilities]

    def blank_crop(self) -> RGB:
        """A grey crop to warm the model with."""
        return np.full((self.crop_spec.size, self.crop_spec.size, 3), 127, dtype=np.uint8)

    @property
    def label_names(self) -> list[str]:
        """Label names in the order of the logits."""
        return list(self._names)


def crop_spec(processor: BaseImageProcessor, decision: ClassifierDecision) -> CropSpec:
    """The crops that a checkpoint wants, from its `decision.json` and `preprocessor_config.json`."""
    size = decision.input_size
    if size is None:
        # A processor that resizes and then crops the centre was trained on what the crop leaves.
        wanted = dict(processor.crop_size if getattr(processor, "do_center_crop", None) else processor.size)
        size = int(wanted.get("height") or wanted["shortest_edge"])
    return CropSpec(decision.crop_margin, decision.crop_aspect, size, int(processor.resample))


def normalisation(processor: BaseImageProcessor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (1, 3, 1, 1) for pixels of 0 to 255: rescaling and normalisation in one step."""
    scale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    mean, deviation = (processor.image_mean, processor.image_std) if processor.do_normalize else ([0.0] * 3, [1.0] * 3)
    shape = (1, 3, 1, 1)
    return torch.tensor(mean).reshape(shape) / scale, torch.tensor(deviation).reshape(shape) / scale

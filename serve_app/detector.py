"""The person detector: RGB photos in, lists of people out. Knows nothing of Ray or HTTP."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from transformers import AutoModelForObjectDetection, BaseImageProcessor, PreTrainedModel

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.cropping import RGB
from serve_app.decision import DetectorDecision
from serve_app.gate import DetectedPerson
from serve_app.models import load_model, load_processor, pick_device
from serve_app.settings import Device

PERSON = "person"


@dataclass(frozen=True)
class PreparedPhoto:
    """A photo as the model takes it: (3, H, W) float32."""

    pixels: Tensor


class Detector:
    """Any `AutoModelForObjectDetection` checkpoint with a class named person.

    `prepare` is cheap to run in several threads; `detect` runs the model and belongs in one thread.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: BaseImageProcessor,
        decision: DetectorDecision,
        checkpoint: Checkpoint,
        person_label: int,
    ) -> None:
        self._model = model
        self._processor = processor
        self._person_label = person_label
        self._size = {} if decision.input_size is None else {"size": {"height": decision.input_size, "width": decision.input_size}}
        self.decision = decision
        self.checkpoint = checkpoint

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: Device = "auto", overrides: Mapping[str, Any] | None = None) -> Self:
        """Loads the checkpoint; `overrides` replace values of its `decision.json`.

        Raises:
            CheckpointError: it cannot be loaded or has no class person.
            DecisionError: its decision, or an override, is not valid.
        """
        decision = DetectorDecision.read(checkpoint.path, overrides)
        model = load_model(AutoModelForObjectDetection, checkpoint, pick_device(device))
        labels = {str(name).lower(): int(index) for index, name in model.config.id2label.items()}
        if PERSON not in labels:
            raise CheckpointError(checkpoint.uri, f"it has no class {PERSON!r}, only {sorted(labels)[:10]}", "Use a detector of people")
        return cls(model, load_processor(checkpoint), decision, checkpoint, labels[PERSON])

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        device: torch.device = self._model.device
        return device

    def prepare(self, photo: RGB) -> PreparedPhoto:
        """Resizes and normalises one photo, shape (H, W, 3), uint8."""
        pixels = self._processor(images=photo, return_tensors="pt", input_data_format="channels_last", **self._size)["pixel_values"]
        return PreparedPhoto(pixels[0])

    def detect(self, photos: Sequence[PreparedPhoto]) -> list[list[DetectedPerson]]:
        """Finds the people in each photo, with scores above the threshold of the decision; the person rule comes later.

        Photos of one shape go through the model together. A padding mask instead would change the answers of DETR with the
        company that a photo is in.
        """
        by_shape: dict[torch.Size, list[int]] = defaultdict(list)
        for index, photo in enumerate(photos):
            by_shape[photo.pixels.shape].append(index)
        results: list[list[DetectedPerson]] = [[] for _ in photos]
        for indices in by_shape.values():
            batch = torch.stack([photos[index].pixels for index in indices])
            for index, people in zip(indices, self._detect_one_shape(batch), strict=True):
                results[index] = people
        return results

    def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        """`prepare` and `detect` in one."""
        return self.detect([self.prepare(photo) for photo in photos])

    @torch.inference_mode()
    def _detect_one_shape(self, batch: Tensor) -> list[list[DetectedPerson]]:
        batch = batch.to(self.device, self._model.dtype)
        outputs = self._model(pixel_values=batch.contiguous(memory_format=torch.channels_last))
        if not torch.isfinite(outputs.logits).all():
            raise FloatingPointError("the detector's scores are not finite")  # they would look like nobody
        # Without target sizes the boxes stay relative to the photo.
        found = self._processor.post_process_object_detection(outputs, threshold=self.decision.score_threshold)
        return [self._people(result) for result in found]

    def _people(self, result: Mapping[str, Tensor]) -> list[DetectedPerson]:
        mine = result["labels"] == self._person_label
        boxes = result["boxes"][mine].float().clamp(0, 1).cpu().tolist()
        scores = result["scores"][mine].float().cpu().tolist()
        people = [DetectedPerson((x0, y0, x1, y1), score) for (x0, y0, x1, y1), score in zip(boxes, scores, strict=True)]
        return [person for person in people if person.box[0] < person.box[2] and person.box[1] < person.box[3]]

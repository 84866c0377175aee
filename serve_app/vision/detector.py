"""The person detector: RGB photos in, lists of people out. Depends on neither Ray nor HTTP, and on torch only through `runtimes`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import DetectorDecision
from serve_app.runtimes import load
from serve_app.runtimes.base import Floats, RunOptions, Runtime
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson


class Detector:
    """Any `AutoModelForObjectDetection` checkpoint with a class named person.

    Any thread may call `prepare`; `detect` runs the model, in one thread only.
    """

    def __init__(self, runtime: Runtime, decision: DetectorDecision, checkpoint: Checkpoint) -> None:
        self._run = runtime.run
        self._resize = runtime.facts.resize
        self.decision = decision
        self.checkpoint = checkpoint

    @classmethod
    def load(cls, checkpoint: Checkpoint, options: RunOptions, overrides: Mapping[str, Any] | None = None) -> Self:
        """Loads the checkpoint; `overrides` replace values of its `decision.json`.

        Raises:
            CheckpointError: it cannot be loaded or has no class person.
            DecisionError: its decision, or an override, is not valid.
        """
        decision = DetectorDecision.read(checkpoint.path, overrides)
        return cls(load("detector", checkpoint, decision.input_size, options), decision, checkpoint)

    def prepare(self, photo: RGB) -> RGB:
        """Resizes one photo of shape (H, W, 3), uint8. The network itself normalises."""
        return self._resize(photo)

    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        """Detects people in prepared photos, with scores above the decision's threshold; `people_that_count` applies the person rule.

        Only photos of one shape share a batch: with padding, DETR's answer about a photo would depend on the others in the batch.
        """
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, photo in enumerate(photos):
            by_shape[photo.shape].append(index)
        results: list[list[DetectedPerson]] = [[] for _ in photos]
        for indices in by_shape.values():
            scores, boxes = self._run(np.stack([photos[index] for index in indices]))
            if not np.isfinite(scores).all():
                raise FloatingPointError("the detector's scores are not finite")  # otherwise it would look like nobody
            for index, photo_scores, photo_boxes in zip(indices, scores, boxes, strict=True):
                results[index] = self._people(photo_scores, photo_boxes)
        return results

    def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        """Prepares photos and detects the people in them."""
        return self.detect([self.prepare(photo) for photo in photos])

    def _people(self, scores: Floats, boxes: Floats) -> list[DetectedPerson]:
        """The people above the threshold, from the scores (queries,) and boxes (queries, 4) of one photo."""
        found = scores > self.decision.score_threshold
        people = [
            DetectedPerson((x0, y0, x1, y1), score)
            for (x0, y0, x1, y1), score in zip(boxes[found].clip(0, 1).tolist(), scores[found].tolist(), strict=True)
        ]
        return [person for person in people if person.box[0] < person.box[2] and person.box[1] < person.box[3]]

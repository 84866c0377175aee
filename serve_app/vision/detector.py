"""The person detector: RGB photos in, lists of people out. Depends on neither Ray nor HTTP, and on torch only through `runtimes`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import DetectorDecision
from serve_app.runtimes import load
from serve_app.runtimes.base import HEAD, Floats, RunOptions, Runtime
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import DetectedHead, DetectedPerson, with_heads


class Detector:
    """Any `AutoModelForObjectDetection` checkpoint with a class named person and, for better counts and crops, one named head.

    Any thread may call it.
    """

    def __init__(self, runtime: Runtime, decision: DetectorDecision, checkpoint: Checkpoint) -> None:
        self._run, self._warm_up = runtime.run, runtime.warm_up
        self._resize = runtime.facts.resize
        self._knows_heads = HEAD in runtime.facts.labels
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
        """Detects people and their heads in prepared photos, with the scores that the decision looks at.

        `people_that_count` applies the person rule.

        Only photos of one shape share a batch: with padding, DETR's answer about a photo would depend on the others in the batch.
        """
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, photo in enumerate(photos):
            by_shape[photo.shape].append(index)
        results: list[list[DetectedPerson]] = [[] for _ in photos]
        for indices in by_shape.values():
            scores, boxes = self.outputs([photos[index] for index in indices])
            for index, photo_scores, photo_boxes in zip(indices, scores, boxes, strict=True):
                results[index] = self._people(photo_scores, photo_boxes)
        return results

    def warm_up(self, photos: Sequence[RGB]) -> None:
        """Has the runtime prepare itself for batches like this one, of prepared photos of one shape."""
        self._warm_up(np.stack(photos))

    def outputs(self, photos: Sequence[RGB]) -> tuple[Floats, Floats]:
        """Scores (n, queries, classes) and boxes (n, queries, 4) of prepared photos of one shape.

        Raises:
            FloatingPointError: a score is not finite; otherwise it would look like nobody.
        """
        scores, boxes = self._run(np.stack(photos))
        if not np.isfinite(scores).all():
            raise FloatingPointError("the detector's scores are not finite")
        return scores, boxes

    def __call__(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        """Prepares photos and detects the people in them."""
        return self.detect([self.prepare(photo) for photo in photos])

    def _people(self, scores: Floats, boxes: Floats) -> list[DetectedPerson]:
        """The people that are looked at, from the scores (queries, classes) and boxes (queries, 4) of one photo."""
        rule = self.decision
        floor = rule.body_floor if self._knows_heads else rule.score_threshold
        people = [DetectedPerson(box, score) for box, score in _above(floor, scores[:, 0], boxes)]
        if not self._knows_heads:
            return people
        return with_heads(people, [DetectedHead(box, score) for box, score in _above(rule.head_floor, scores[:, 1], boxes)])


def _above(threshold: float, scores: Floats, boxes: Floats) -> Iterator[tuple[Box, float]]:
    """The boxes with a score above the threshold, clipped to the photo, without empty ones."""
    found = scores > threshold
    for (x0, y0, x1, y1), score in zip(boxes[found].clip(0, 1).tolist(), scores[found].tolist(), strict=True):
        if x0 < x1 and y0 < y1:
            yield (x0, y0, x1, y1), score

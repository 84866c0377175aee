"""The gender classifier: crops of one person in, calibrated probabilities out. Depends on neither Ray, HTTP nor torch."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from serve_app.checkpoints import Checkpoint, CheckpointError
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.codes import Code
from serve_app.runtimes import load
from serve_app.runtimes.base import LABELS, Facts, Floats, RunOptions, Runtime
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB


class Classifier:
    """Any `AutoModelForImageClassification` checkpoint whose labels are male and female, in any order."""

    def __init__(self, runtime: Runtime, decision: ClassifierDecision, checkpoint: Checkpoint) -> None:
        self._run, self._warm_up = runtime.run, runtime.warm_up
        self.precision = runtime.precision
        self.label_names = list(runtime.facts.labels)
        self.decision = decision
        self.checkpoint = checkpoint
        self.crop_spec = crop_spec(runtime.facts, decision, checkpoint)

    @classmethod
    def load(cls, checkpoint: Checkpoint, options: RunOptions, overrides: Mapping[str, Any] | None = None) -> Self:
        """Loads the checkpoint; `overrides` replace values of its `decision.json`.

        Raises:
            CheckpointError: it cannot be loaded, or its labels are not male and female.
            DecisionError: its decision, or an override, is not valid.
        """
        decision = ClassifierDecision.read(checkpoint.path, overrides)
        return cls(load("classifier", checkpoint, decision.input_size, options), decision, checkpoint)

    def logits(self, crops: Sequence[RGB]) -> Floats:
        """Logits (n, 2) of crops of shape `crop_spec.shape`, uint8, made with it; columns in the order of `label_names`."""
        (logits,) = self._run(np.stack(crops))
        if not np.isfinite(logits).all():
            raise FloatingPointError("the classifier's logits are not finite")
        return logits

    def margins(self, logits: Floats) -> NDArray[np.float64]:
        """The logit of female less the logit of male (n,), of logits (n, 2): what the answers hang on, before any temperature."""
        female, male = (logits[:, self.label_names.index(label)].astype(np.float64) for label in LABELS)
        return female - male

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        """The probabilities of each crop, by label."""
        return self.calibrated(self.logits(crops)) if crops else []

    def calibrated(self, logits: Floats) -> list[dict[str, float]]:
        """The probabilities, by label, that logits (n, 2) stand for."""
        probabilities = softmax(logits / self.decision.temperature).tolist()
        return [dict(zip(self.label_names, row, strict=True)) for row in probabilities]

    def warm_up(self, crops: Sequence[RGB]) -> None:
        """Has the runtime prepare itself for batches of so many crops."""
        self._warm_up(np.stack(crops))

    def blank_crop(self) -> RGB:
        """A grey crop to warm up the model."""
        return np.full(self.crop_spec.shape, 127, dtype=np.uint8)


def crop_spec(facts: Facts, decision: ClassifierDecision, checkpoint: Checkpoint) -> CropSpec:
    """How to crop for a checkpoint, from its `decision.json` and its image processor.

    Raises:
        CheckpointError: the two do not belong together.
    """
    assert facts.resize.exact is not None
    height, width = facts.resize.exact
    if height != width * len(decision.views):
        raise CheckpointError(
            checkpoint.uri,
            f"its input is {width} x {height} pixels, which is not {' above '.join(decision.views)} in squares",
            "Check `views` in decision.json and `size` in preprocessor_config.json",
        )
    return CropSpec(decision.crop_margin, decision.crop_aspect, width, facts.resize.resample, decision.views, decision.head_margin)


def confidence_gate(probabilities: Mapping[str, float], decision: ClassifierDecision) -> Code:
    """OK when the more probable label is probable enough for the decision; otherwise UNSURE."""
    return Code.UNSURE if max(probabilities.values()) < decision.min_confidence else Code.OK


def softmax(logits: Floats) -> Floats:
    """Probabilities (n, labels) of logits (n, labels)."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities

"""The service with models that wait instead of computing.

All but the two models is real: Ingress, GraphClient, deployments and BatchWorker. Waiting needs no core, as if each replica had its own
machine, so many replicas fit on few cores, and the service itself is the bottleneck.
"""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from ray.serve import Application

from serve_app.app import deployment, http_deployment
from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.person_detector import PersonDetector
from serve_app.http.ingress import Ingress
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson

PERSON = DetectedPerson((0.25, 0.1, 0.75, 0.9), 0.9)
OptionsByName = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Pace:
    """How long a model takes: `batch_s + n * photo_s` seconds for a batch of n, which holds at most `max_batch_size` photos."""

    batch_s: float
    photo_s: float
    max_batch_size: int

    def seconds(self, size: int) -> float:
        """Seconds that a batch of `size` takes."""
        return self.batch_s + size * self.photo_s

    @property
    def photos_per_s(self) -> float:
        """Capacity of one replica, with full batches one after another."""
        return self.max_batch_size / self.seconds(self.max_batch_size)


QUICK = Pace(batch_s=0.002, photo_s=0.0005, max_batch_size=16)


class WaitingDetector:
    """Stands in for `Detector`: waits, then detects one person in each photo."""

    checkpoint = Checkpoint("simulated", Path(), "waiting-detector", "1")
    decision = DetectorDecision()

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def prepare(self, photo: RGB) -> RGB:
        """The photo, unchanged."""
        return photo

    def warm_up(self, photos: Sequence[RGB]) -> None:
        """Nothing: it has no runtime."""

    def detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        """One person in each photo."""
        time.sleep(self._pace.seconds(len(photos)))
        return [[PERSON] for _ in photos]


class WaitingClassifier:
    """Stands in for `Classifier`: waits, then gives both labels the same probability."""

    checkpoint = Checkpoint("simulated", Path(), "waiting-classifier", "1")
    decision = ClassifierDecision()
    crop_spec = CropSpec(margin=0.0, aspect=1.0, size=16)

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def blank_crop(self) -> RGB:
        """A crop to warm up the model."""
        return np.zeros((16, 16, 3), dtype=np.uint8)

    def warm_up(self, crops: Sequence[RGB]) -> None:
        """Nothing: it has no runtime."""

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        """Probabilities by label, for each crop."""
        time.sleep(self._pace.seconds(len(crops)))
        return [{"female": 0.5, "male": 0.5} for _ in crops]


class SimulatedDetector(PersonDetector):
    """The deployment, with a model that waits."""

    def __init__(self, settings: Settings, pace: Pace) -> None:
        self._pace = pace
        super().__init__(settings, pace.max_batch_size, threads=1, decode_threads=2)

    def _load(self, config: dict[str, Any]) -> Any:
        return WaitingDetector(self._pace)


class SimulatedClassifier(GenderClassifier):
    """The deployment, with a model that waits."""

    def __init__(self, settings: Settings, pace: Pace) -> None:
        self._pace = pace
        super().__init__(settings, pace.max_batch_size, threads=1)

    def _load(self, config: dict[str, Any]) -> Any:
        return WaitingClassifier(self._pace)


def build(
    settings: Settings,
    options: OptionsByName,
    *,
    detector: Pace,
    classifier: Pace = QUICK,
    detector_class: type[SimulatedDetector] = SimulatedDetector,
) -> Application:
    """The graph, with the deployments named as in serve_config.yaml.

    Args:
        settings: limits and deadlines.
        options: Serve's options by deployment, such as `{"PersonDetector": {"num_replicas": 2}}`.
        detector: how long the detector takes.
        classifier: how long the classifier takes.
        detector_class: a deployment that does more than wait.
    """
    defaults: dict[str, Any] = {
        "max_ongoing_requests": 512,
        "ray_actor_options": {"num_cpus": 0.01},
    }  # they only wait: any number fits on a machine
    options_of = {name: defaults | options.get(name, {}) for name in ("Ingress", "PersonDetector", "GenderClassifier")}
    detectors = deployment(detector_class).options(name="PersonDetector", **options_of["PersonDetector"])
    classifiers = deployment(SimulatedClassifier).options(name="GenderClassifier", **options_of["GenderClassifier"])
    ingress = http_deployment(Ingress).options(name="Ingress", **options_of["Ingress"])
    return ingress.bind(detectors.bind(settings, detector), classifiers.bind(settings, classifier), settings)


def small_photo() -> bytes:
    """A JPEG of 64 x 48 grey pixels, which costs next to nothing to send and to decode."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(buffer, "JPEG")
    return buffer.getvalue()

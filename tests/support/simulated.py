"""The real ingress with fake models that only wait: tests of crashes and overload need no real ones."""

import asyncio
import os
from typing import Any

import numpy as np
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from serve_app.codes import Code
from serve_app.graph import ray_internals
from serve_app.graph.messages import Classification, Detection, ModelDescription
from serve_app.http.ingress import Ingress
from serve_app.question import ORIGINAL, Question
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedPerson

SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
PEOPLE = [DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.8)]
KILLER = b"kills decoders"
OPTIONS: dict[str, Any] = {
    "ray_actor_options": {"num_cpus": 0.1},
    "max_ongoing_requests": 64,
    "health_check_period_s": 1,
    "graceful_shutdown_wait_loop_s": 0.1,
    "graceful_shutdown_timeout_s": 1,
}


class Detector:
    """Fake detector: takes `seconds` per photo, one at a time, and counts them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._model = asyncio.Lock()
        self._photos = 0

    async def detect(self, image: bytes, spec: CropSpec, question: Question = ORIGINAL) -> Detection:
        """Finds one person in every photo; `KILLER` ends the process."""
        if image == KILLER:
            os._exit(1)
        async with self._model:
            await asyncio.sleep(self._seconds)
        self._photos += 1
        return Detection(Code.OK, PEOPLE, [np.zeros((SPEC.size, SPEC.size, 3), np.uint8)], "simulated@1")

    async def describe(self) -> ModelDescription:
        """See PersonDetector."""
        return ModelDescription("simulated", "1")

    async def photos(self) -> int:
        """Number of photos answered."""
        return self._photos


class Classifier:
    """Fake classifier: takes `seconds` per crop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def classify(self, crop: RGB, spec: CropSpec, lot: float = 1.0) -> Classification:
        """The same probabilities for every crop."""
        await asyncio.sleep(self._seconds)
        return Classification(Code.OK, {"male": 0.5, "female": 0.5}, "simulated@1")

    async def describe(self) -> ModelDescription:
        """See GenderClassifier."""
        return ModelDescription("simulated", "1", SPEC)


class OneTransport:
    """A handle whose transport cannot be changed."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    def options(self, **_: Any) -> "OneTransport":
        """Itself."""
        return self

    def __getattr__(self, method: str) -> Any:
        return getattr(self._handle, method)


class IngressBy(Ingress):
    """The ingress with handles that call by reference or over gRPC."""

    def __init__(
        self, detector: DeploymentHandle[Any], classifier: DeploymentHandle[Any], settings: Settings, by_reference: bool | None
    ) -> None:
        if by_reference is not None:
            transport = ray_internals.by_reference if by_reference else ray_internals.over_grpc
            detector, classifier = (OneTransport(transport(handle)) for handle in (detector, classifier))  # type: ignore[assignment] # stands in
        super().__init__(detector, classifier, settings)


def graph(
    settings: Settings, *, seconds: float = 0.02, replicas: int = 1, ingresses: int = 1, by_reference: bool | None = None
) -> Application:
    """The graph; each photo takes `seconds` in each model."""
    models = serve.deployment(num_replicas=replicas, **OPTIONS)
    # Not from `serve_app.app`: it imports torch, which would delay each replacement replica.
    ingress = serve.deployment(name="Ingress", num_replicas=ingresses, **OPTIONS)(serve.ingress()(IngressBy))
    return ingress.bind(models(Detector).bind(seconds), models(Classifier).bind(seconds), settings, by_reference)

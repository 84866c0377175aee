"""The way of a photo through the graph: the detector, then the classifier, within a deadline. Retries after deaths are here."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from serve_app.codes import Code
from serve_app.graph.messages import (
    Classification,
    Descriptions,
    Detection,
    GraphOutcome,
    ModelDescription,
    OtherCropWanted,
    Role,
    Stages,
)
from serve_app.graph.ray_internals import Handle
from serve_app.graph.replicas import NobodyThereError, ReplicaDiedError, Replicas
from serve_app.graph.retry_budget import RetryBudget
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics
from serve_app.vision.cropping import CropSpec

logger = logging.getLogger(__name__)

TRIES = 3  # of a photo by the detector
WARM_UP_WAIT_S = 5.0  # a new photo waits this long for models that are loading, then it is `overloaded`
HEALTH_WAIT_S = 1.0
HEALTH_TRUST_S = 10.0  # a model too busy to describe itself counts as loaded if the graph answered a photo this recently


class OutOfRetriesError(Exception):
    """The retry budget is empty: replicas die too often."""


@dataclass
class _Photo:
    """A photo in flight."""

    image: bytes
    stages: Stages = field(default_factory=dict)
    retries: int = 0


class GraphClient:
    """Asks the two models about a photo, and for their descriptions.

    Args:
        detector: handle of the PersonDetector.
        classifier: handle of the GenderClassifier.
        settings: deadlines.
        metrics: counts retries.
        scaled_to_zero: whether a model has no replica.
    """

    def __init__(
        self,
        detector: Handle,
        classifier: Handle,
        settings: Settings,
        metrics: IngressMetrics,
        scaled_to_zero: Callable[[], Awaitable[bool]],
    ) -> None:
        self._detector = Replicas(detector)
        self._classifier = Replicas(classifier)
        self._settings = settings
        self._metrics = metrics
        self._scaled_to_zero = scaled_to_zero
        self._retries = RetryBudget(burst=settings.max_photos_in_flight)
        self._last_try = asyncio.Lock()
        self._crop_spec: CropSpec | None = None
        self._classifier_name = ""
        self._described: Descriptions = {}
        self._answered_at = float("-inf")

    async def predict(self, image: bytes, request_id: str) -> GraphOutcome:
        """The outcome for one photo; a failure is a code, never an exception."""
        started = time.perf_counter()
        photo = _Photo(image)
        self._retries.earn()
        try:
            async with asyncio.timeout(self._settings.request_deadline_s):
                outcome = await self._through_the_graph(photo)
        except TimeoutError:
            outcome = GraphOutcome(Code.OVERLOADED if self._lacks_replicas(photo) else Code.TIMEOUT)
        except (BackPressureError, DeploymentUnavailableError, NobodyThereError, OutOfRetriesError):
            outcome = GraphOutcome(Code.OVERLOADED)
        except Exception as error:
            # The traceback of a failed call shows our code and the libraries', never the photo.
            logger.exception("request %s failed: %s", request_id, type(error).__name__)
            outcome = GraphOutcome(Code.INTERNAL)
        photo.stages["total"] = time.perf_counter() - started
        return replace(outcome, stages=photo.stages)

    async def health(self) -> Descriptions:
        """The models that can answer. Models scaled to zero are not woken: they count as not loaded."""
        if await self._scaled_to_zero():
            return {"detector": None, "classifier": None}
        detector, classifier = await asyncio.gather(
            self._describe("detector", self._detector), self._describe("classifier", self._classifier)
        )
        return {"detector": detector, "classifier": classifier}

    async def _through_the_graph(self, photo: _Photo) -> GraphOutcome:
        # Serve's router would keep the photo until its deadline if no replica were there.
        for replicas in (self._detector, self._classifier):
            await replicas.wait_until_there(WARM_UP_WAIT_S)
        spec = self._crop_spec or await self._ask_for_crop_spec()
        while True:
            detection = await self._detect(photo, spec)
            if detection is None:
                return GraphOutcome(Code.CORRUPT_IMAGE)
            photo.stages |= detection.stages
            if detection.crop is None:
                self._answered_at = time.monotonic()
                return GraphOutcome(detection.code, detection.people, None, detection.model, self._classifier_name)
            answer = await self._classify(photo, detection, spec)
            if isinstance(answer, Classification):
                photo.stages |= answer.stages
                self._answered_at = time.monotonic()
                self._classifier_name = answer.model
                return GraphOutcome(answer.code, detection.people, answer.probabilities, detection.model, answer.model)
            # The classifier was exchanged while this photo was in flight. The deadline bounds how often that can happen.
            spec = self._crop_spec = answer.crop_spec

    async def _ask_for_crop_spec(self) -> CropSpec:
        try:
            description: ModelDescription = await self._classifier.call("describe")
        except ReplicaDiedError as error:
            raise NobodyThereError from error
        assert description.crop_spec is not None
        self._crop_spec, self._classifier_name = description.crop_spec, str(description)
        return description.crop_spec

    async def _detect(self, photo: _Photo, spec: CropSpec) -> Detection | None:
        """Asks the detector, `TRIES` times if replicas die; None for a photo whose last try ends in a death.

        A replica that dies takes all its photos with it, and they are tried again together. So last tries are made one at a time:
        a photo that kills replicas does not take the same neighbours with it each time.
        """
        for _ in range(TRIES - 1):
            with contextlib.suppress(ReplicaDiedError):
                return await self._call_detector(photo, spec)
            await self._before_a_retry(photo, self._detector)
        async with self._last_try:
            await self._detector.wait_until_there()  # the last try of another photo may have killed the replica
            with contextlib.suppress(ReplicaDiedError):
                return await self._call_detector(photo, spec)
        return None

    async def _call_detector(self, photo: _Photo, spec: CropSpec) -> Detection:
        detection: Detection = await self._detector.call("detect", photo.image, spec)
        return detection

    async def _classify(self, photo: _Photo, detection: Detection, spec: CropSpec) -> Classification | OtherCropWanted:
        """Asks the classifier, again if its replica dies: a crop cannot be the cause."""
        while True:
            with contextlib.suppress(ReplicaDiedError):
                answer: Classification | OtherCropWanted = await self._classifier.call("classify", detection.crop, spec)
                return answer
            await self._before_a_retry(photo, self._classifier)

    async def _before_a_retry(self, photo: _Photo, replicas: Replicas) -> None:
        """Takes a retry from the budget and waits for a replica until the deadline.

        Raises:
            OutOfRetriesError: the budget is empty.
        """
        photo.retries += 1
        if not self._retries.spend():
            raise OutOfRetriesError
        self._metrics.retried()
        await replicas.wait_until_there()

    def _lacks_replicas(self, photo: _Photo) -> bool:
        """Whether a photo is late because replicas are missing or died, and not because the models are slow."""
        return bool(photo.retries) or not (self._detector.there and self._classifier.there)

    async def _describe(self, role: Role, replicas: Replicas) -> ModelDescription | None:
        try:
            async with asyncio.timeout(HEALTH_WAIT_S):
                description: ModelDescription = await replicas.call("describe")
        except Exception:
            trusted = time.monotonic() - self._answered_at < HEALTH_TRUST_S
            return self._described.get(role) if trusted else None
        self._described[role] = description
        return description

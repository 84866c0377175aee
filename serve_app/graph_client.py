"""The way of a photo through the graph: deadline, retries, one answer. Knows nothing of HTTP, torch or pixels."""

import asyncio
import logging
import time
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from serve_app import __version__
from serve_app.answers import HEALTHY, UNAVAILABLE, Answer, Health, ModelInfo, ModelRevisions, Person
from serve_app.codes import Code
from serve_app.cropping import CropSpec
from serve_app.graph import Classification, Detection, ModelDescription, OtherCropWanted, Stages
from serve_app.quarantine import Quarantine
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics, log_answer

logger = logging.getLogger(__name__)

WARM_UP_WAIT_S = 5.0  # a request waits this long for models that are still loading, then it is told to come back
HEALTH_WAIT_S = 1.0
HEALTH_TRUST_S = 10.0  # a graph too busy to describe itself is healthy if it answered a request this recently


class GraphUnavailableError(Exception):
    """The models are not there yet, or not any more."""


class GraphClient:
    """Asks the two models about a photo, and how they are.

    Args:
        detector: handle of the PersonDetector.
        classifier: handle of the GenderClassifier.
        settings: deadlines.
        metrics: what is counted.
    """

    def __init__(
        self, detector: DeploymentHandle[Any], classifier: DeploymentHandle[Any], settings: Settings, metrics: IngressMetrics
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._settings = settings
        self._metrics = metrics
        self._quarantine = Quarantine(settings.quarantine_s)
        self._suspects = asyncio.Lock()
        self._crop_spec: CropSpec | None = None
        self._classifier_name = ""
        self._described: dict[str, ModelDescription] = {}
        self._answered_at = float("-inf")

    async def predict(self, image: bytes, request_id: str) -> Answer:
        """The answer about one photo; whatever goes wrong is its code, never an exception."""
        started = time.perf_counter()
        stages: Stages = {}
        try:
            async with asyncio.timeout(self._settings.request_deadline_s):
                answer = await self._through_the_graph(image, request_id, stages)
        except TimeoutError:
            answer = Answer.refusal(Code.TIMEOUT, request_id)
        except (BackPressureError, DeploymentUnavailableError, GraphUnavailableError):
            answer = Answer.refusal(Code.OVERLOADED, request_id)
        except Exception as error:
            # The traceback of a failed call is our code and the libraries', never the photo.
            logger.exception("request %s failed: %s", request_id, type(error).__name__)
            answer = Answer.refusal(Code.INTERNAL, request_id)
        stages["total"] = time.perf_counter() - started
        self._metrics.answered(answer.code, answer.prediction, answer.confidence, stages)
        log_answer(request_id, answer.code, stages)
        return answer

    async def health(self) -> Health:
        """Asks both models; a graph that is too busy to say is healthy if it answered a request just now."""
        detector, classifier = await asyncio.gather(
            self._describe("detector", self._detector), self._describe("classifier", self._classifier)
        )
        healthy = detector is not None and classifier is not None
        models = {"detector": detector, "classifier": classifier}
        return Health(
            status=HEALTHY if healthy else UNAVAILABLE,
            model_loaded=classifier is not None,
            processor_loaded=classifier is not None,
            detector_loaded=detector is not None,
            version=__version__,
            models={role: ModelInfo(name=info.name, revision=info.revision) if info else None for role, info in models.items()},
            faults={role: info.fault for role, info in models.items() if info and info.fault},
        )

    async def _through_the_graph(self, image: bytes, request_id: str, stages: Stages) -> Answer:
        if await self._quarantine.holds(image):
            return Answer.refusal(Code.CORRUPT_IMAGE, request_id)
        spec = self._crop_spec or await self._ask_for_crop_spec()
        while True:
            detection = await self._detect(image, spec)
            if detection is None:
                return Answer.refusal(Code.CORRUPT_IMAGE, request_id)
            stages |= detection.stages
            if detection.crop is None:
                return self._refusal(detection, request_id)
            outcome = await self._classify(detection, spec)
            if isinstance(outcome, Classification):
                stages |= outcome.stages
                return self._prediction(detection, outcome, request_id)
            # The classifier was exchanged while this photo was on its way. The deadline bounds how often that can happen.
            spec = self._crop_spec = outcome.crop_spec

    async def _ask_for_crop_spec(self) -> CropSpec:
        try:
            async with asyncio.timeout(WARM_UP_WAIT_S):
                description: ModelDescription = await _call(self._classifier.describe)
        except (TimeoutError, RayActorError) as error:
            raise GraphUnavailableError from error
        assert description.crop_spec is not None
        self._crop_spec, self._classifier_name = description.crop_spec, str(description)
        return description.crop_spec

    async def _detect(self, image: bytes, spec: CropSpec) -> Detection | None:
        """Asks the detector; once more when its replica dies. None when that died too: this photo kills decoders.

        The second try is made by one photo at a time. Neighbours of a photo that kills are thus not taken for it: when a replica
        dies under a second try, only that try can have killed it.
        """
        try:
            detection: Detection = await _call(self._detector.detect, image, spec)
            return detection
        except RayActorError:
            self._metrics.retried()
        async with self._suspects:
            try:
                detection = await _call(self._detector.detect, image, spec)
                return detection
            except RayActorError:
                await self._quarantine.add(image)
                return None

    async def _classify(self, detection: Detection, spec: CropSpec) -> Classification | OtherCropWanted:
        """Asks the classifier; once more when its replica dies, of which the crop cannot be the cause."""
        try:
            outcome: Classification | OtherCropWanted = await _call(self._classifier.classify, detection.crop, spec)
        except RayActorError:
            self._metrics.retried()
            outcome = await _call(self._classifier.classify, detection.crop, spec)
        return outcome

    def _refusal(self, detection: Detection, request_id: str) -> Answer:
        self._answered_at = time.monotonic()
        model = ModelRevisions(detector=detection.model, classifier=self._classifier_name)
        return Answer.refusal(detection.code, request_id, people=_people(detection), model=model)

    def _prediction(self, detection: Detection, classification: Classification, request_id: str) -> Answer:
        self._answered_at = time.monotonic()
        self._classifier_name = classification.model
        label, confidence = max(classification.probabilities.items(), key=lambda pair: pair[1])
        people = _people(detection)
        return Answer(
            prediction=label,
            confidence=confidence,
            person_count=len(people),
            probabilities=classification.probabilities,
            error=None,
            code=Code.OK,
            people=people,
            request_id=request_id,
            model=ModelRevisions(detector=detection.model, classifier=classification.model),
        )

    async def _describe(self, role: str, handle: DeploymentHandle[Any]) -> ModelDescription | None:
        try:
            async with asyncio.timeout(HEALTH_WAIT_S):
                description: ModelDescription = await _call(handle.describe)
        except Exception:
            trusted = time.monotonic() - self._answered_at < HEALTH_TRUST_S
            return self._described.get(role) if trusted else None
        self._described[role] = description
        return description


def _people(detection: Detection) -> list[Person]:
    return [Person(box=person.box, score=person.score) for person in detection.people]


async def _call(method: Any, *args: Any) -> Any:
    """Calls a handle's method; the callee is told when nobody waits any more (a deadline alone would leave it working)."""
    response = method.remote(*args)
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise

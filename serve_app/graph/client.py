"""The way of a photo through the graph: deadline, retries, one answer. Knows nothing of HTTP, torch or pixels."""

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from serve_app import __version__
from serve_app.codes import Code
from serve_app.graph.lanes import Lanes
from serve_app.graph.messages import Classification, Detection, ModelDescription, OtherCropWanted, Stages
from serve_app.graph.quarantine import Quarantine, Standing
from serve_app.graph.replicas import NobodyThereError, ReplicaDiedError, Replicas
from serve_app.graph.retry_budget import RetryBudget
from serve_app.http.answers import HEALTHY, UNAVAILABLE, Answer, Health, ModelInfo, ModelRevisions, Person
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics, log_answer
from serve_app.vision.cropping import CropSpec

logger = logging.getLogger(__name__)

WARM_UP_WAIT_S = 5.0  # a request waits this long for models that are loading or being replaced, then it is told to come back
WATCH_S = 1.0  # replicas must live this long without a photo before it is tried alone
CONTROL_PHOTO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAAKUlEQVR42u3MQREAAAwCIJtb3RD77SAA6VEEAoFAIBAIBAKBQCAQfA8G18/waiADHKgAAAAASUVORK5CYII="
)  # a grey PNG of 64 x 64: if even that is not survived, no photo is to blame
HEALTH_WAIT_S = 1.0
HEALTH_TRUST_S = 10.0  # a graph too busy to describe itself is healthy if it answered a request this recently


class OutOfRetriesError(Exception):
    """Replicas die so often that calls are not repeated any more."""


@dataclass
class _Photo:
    """One photo on its way."""

    image: bytes
    request_id: str
    stages: Stages = field(default_factory=dict)
    retries: int = 0


class GraphClient:
    """Asks the two models about a photo, and how they are.

    Args:
        detector: handle of the PersonDetector.
        classifier: handle of the GenderClassifier.
        settings: deadlines.
        metrics: what is counted.
        asleep: whether a model was scaled to zero.
    """

    def __init__(
        self,
        detector: DeploymentHandle[Any],
        classifier: DeploymentHandle[Any],
        settings: Settings,
        metrics: IngressMetrics,
        asleep: Callable[[], Awaitable[bool]],
    ) -> None:
        self._detector = Replicas(detector)
        self._classifier = Replicas(classifier)
        self._settings = settings
        self._metrics = metrics
        self._asleep = asleep
        self._retries = RetryBudget(burst=settings.max_photos_in_flight)
        self._quarantine = Quarantine(settings.quarantine_s)
        self._lanes = Lanes()
        self._newest_death = float("-inf")  # when the try began that was the last to end with its replica, in company
        self._crop_spec: CropSpec | None = None
        self._classifier_name = ""
        self._described: dict[str, ModelDescription] = {}
        self._answered_at = float("-inf")

    async def predict(self, image: bytes, request_id: str) -> Answer:
        """The answer about one photo; whatever goes wrong is its code, never an exception."""
        started = time.perf_counter()
        photo = _Photo(image, request_id)
        self._retries.earn()
        try:
            async with asyncio.timeout(self._settings.request_deadline_s):
                answer = await self._through_the_graph(photo)
        except TimeoutError:
            answer = Answer.refusal(Code.OVERLOADED if self._held_up(photo) else Code.TIMEOUT, request_id)
        except (BackPressureError, DeploymentUnavailableError, NobodyThereError, OutOfRetriesError):
            answer = Answer.refusal(Code.OVERLOADED, request_id)
        except Exception as error:
            # The traceback of a failed call is our code and the libraries', never the photo.
            logger.exception("request %s failed: %s", request_id, type(error).__name__)
            answer = Answer.refusal(Code.INTERNAL, request_id)
        photo.stages["total"] = time.perf_counter() - started
        self._metrics.answered(answer.code, answer.prediction, answer.confidence, photo.stages)
        log_answer(request_id, answer.code, photo.stages)
        return answer

    async def health(self) -> Health:
        """Asks both models; a graph that is too busy to say is healthy if it answered a request just now. One that sleeps is not woken."""
        detector = classifier = None
        if not await self._asleep():
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

    async def _through_the_graph(self, photo: _Photo) -> Answer:
        if await self._quarantine.standing(photo.image) is Standing.CONVICTED:
            return Answer.refusal(Code.CORRUPT_IMAGE, photo.request_id)
        # In the router a photo would wait until its deadline for models that are not there.
        for replicas in (self._detector, self._classifier):
            await replicas.wait_until_there(WARM_UP_WAIT_S)
        spec = self._crop_spec or await self._ask_for_crop_spec()
        while True:
            detection = await self._detect(photo, spec)
            if detection is None:
                return Answer.refusal(Code.CORRUPT_IMAGE, photo.request_id)
            photo.stages |= detection.stages
            if detection.crop is None:
                return self._refusal(detection, photo.request_id)
            outcome = await self._classify(photo, detection, spec)
            if isinstance(outcome, Classification):
                photo.stages |= outcome.stages
                return self._prediction(detection, outcome, photo.request_id)
            # The classifier was exchanged while this photo was on its way. The deadline bounds how often that can happen.
            spec = self._crop_spec = outcome.crop_spec

    async def _ask_for_crop_spec(self) -> CropSpec:
        try:
            description: ModelDescription = await self._classifier.call("describe")
        except ReplicaDiedError as error:
            raise NobodyThereError from error
        assert description.crop_spec is not None
        self._crop_spec, self._classifier_name = description.crop_spec, str(description)
        return description.crop_spec

    async def _detect(self, photo: _Photo, spec: CropSpec) -> Detection | None:
        """Asks the detector, again when its replica dies. None for a photo that kills decoders: `quarantine` says how that is found."""
        while (standing := await self._quarantine.standing(photo.image)) is not Standing.CONVICTED:
            try:
                if standing is Standing.SUSPECT:
                    detection = await self._detect_alone(photo.image, spec)
                else:
                    detection = await self._detect_together(photo.image, spec)
            except ReplicaDiedError:
                if await self._quarantine.standing(photo.image) is not Standing.CONVICTED:
                    await self._before_a_retry(photo, self._detector)
            else:
                await self._quarantine.clear(photo.image)
                return detection
        return None

    async def _detect_together(self, image: bytes, spec: CropSpec) -> Detection:
        async with self._lanes.together():
            began = self._quarantine.now()
            try:
                detection: Detection = await self._detector.call("detect", image, spec)
            except ReplicaDiedError:
                self._newest_death = max(self._newest_death, began)
                await self._quarantine.died(image, began, alone=False)
                raise
        return detection

    async def _detect_alone(self, image: bytes, spec: CropSpec) -> Detection:
        """Tries a suspect, after an experiment without it: replicas that die nevertheless clear it."""
        await self._detector.wait_until_there()
        watching_since = self._quarantine.now()
        await asyncio.sleep(WATCH_S)
        async with self._lanes.alone():
            try:
                await self._detector.call("detect", CONTROL_PHOTO, spec)
            except ReplicaDiedError:
                await self._quarantine.clear(image)
                raise
            # Not what began before: it may have ended with the very replica that this photo is suspected of.
            if self._newest_death > watching_since:
                await self._quarantine.clear(image)
            began = self._quarantine.now()
            try:
                detection: Detection = await self._detector.call("detect", image, spec)
            except ReplicaDiedError:
                await self._quarantine.died(image, began, alone=True)
                raise
        return detection

    async def _classify(self, photo: _Photo, detection: Detection, spec: CropSpec) -> Classification | OtherCropWanted:
        """Asks the classifier, again when its replica dies, of which the crop cannot be the cause."""
        while True:
            try:
                outcome: Classification | OtherCropWanted = await self._classifier.call("classify", detection.crop, spec)
            except ReplicaDiedError:
                await self._before_a_retry(photo, self._classifier)
            else:
                return outcome

    async def _before_a_retry(self, photo: _Photo, replicas: Replicas) -> None:
        """Takes a retry out of the budget and waits for a replica, as long as the deadline lets it: nobody sent this photo away yet.

        Raises:
            OutOfRetriesError: the budget is empty.
        """
        photo.retries += 1
        if not self._retries.spend():
            raise OutOfRetriesError
        self._metrics.retried()
        await replicas.wait_until_there()

    def _held_up(self, photo: _Photo) -> bool:
        """Whether a photo is late because replicas are missing or died, and not because it, or the models, are slow."""
        return bool(photo.retries) or not (self._detector.there and self._classifier.there and self._lanes.open)

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

    async def _describe(self, role: str, replicas: Replicas) -> ModelDescription | None:
        try:
            async with asyncio.timeout(HEALTH_WAIT_S):
                description: ModelDescription = await replicas.call("describe")
        except Exception:
            trusted = time.monotonic() - self._answered_at < HEALTH_TRUST_S
            return self._described.get(role) if trusted else None
        self._described[role] = description
        return description


def _people(detection: Detection) -> list[Person]:
    return [Person(box=person.box, score=person.score) for person in detection.people]

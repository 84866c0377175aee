"""The way of a photo through the graph: the detector, then the classifier, within a deadline. Retries after deaths are here."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from serve_app.codes import Code
from serve_app.graph.messages import (
    Cards,
    Classification,
    Descriptions,
    Detection,
    GraphOutcome,
    ModelDescription,
    OtherCropWanted,
    Role,
    Stages,
)
from serve_app.graph.replicas import NobodyThereError, ReplicaDiedError, Replicas
from serve_app.graph.retry_budget import RetryBudget
from serve_app.question import NO_CANDIDATE, ORIGINAL, Question, lot_of
from serve_app.settings import Settings
from serve_app.telemetry import IngressMetrics
from serve_app.vision.cropping import CropSpec
from serve_app.vision.drift import bins_of_answer, bins_of_person
from serve_app.vision.explaining import MOST_PATCHES, explanation
from serve_app.vision.images import RGB
from serve_app.vision.outcome import Outcome
from serve_app.vision.people import gate

logger = logging.getLogger(__name__)

TRIES = 3  # of a photo by the detector
WARM_UP_WAIT_S = 5.0  # a new photo waits this long for models that are loading, then it is `overloaded`
HEALTH_WAIT_S = 1.0
# With the wait, and the second for which /health keeps an answer, a model that stops answering is told within ten seconds.
HEALTH_TRUST_S = 7.0  # a model too busy to describe itself counts as loaded if it answered for a photo this recently
STALLED_S = 5.0  # a replica that has worked on one thing for longer does not count as able to answer
CARDS_WAIT_S = 5.0  # reading the weights for their digest takes a second per gigabyte
NAME_TRUST_S = 1.0  # how old the classifier's name in a refusal may be


class OutOfRetriesError(Exception):
    """The retry budget is empty: replicas die too often."""


@dataclass
class _Photo:
    """A photo in flight."""

    image: bytes
    question: Question
    stages: Stages = field(default_factory=dict)
    retries: int = 0


class GraphClient:
    """Asks the two models about a photo, and for their descriptions.

    Args:
        detector: of the detector.
        classifier: of the classifier; the same deployment, where both are in one process.
        settings: deadlines.
        metrics: counts retries, and what photos look like.
        scaled_to_zero: whether a model has no replica.
    """

    def __init__(
        self,
        detector: Replicas,
        classifier: Replicas,
        settings: Settings,
        metrics: IngressMetrics,
        scaled_to_zero: Callable[[], Awaitable[bool]],
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._settings = settings
        self._metrics = metrics
        self._scaled_to_zero = scaled_to_zero
        self._retries = RetryBudget(burst=settings.max_photos_in_flight)
        self._last_try = asyncio.Lock()
        self._crop_spec: CropSpec | None = None
        self._classifier_name = ""
        self._named_at = float("-inf")
        self._naming: asyncio.Task[None] | None = None
        self._described: Descriptions = {}
        self._answered_at: dict[Role, float] = {}
        self._silent_since: dict[Role, float] = {}

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        """The outcome for one photo; a failure is a code, never an exception."""
        started = time.perf_counter()
        photo = _Photo(image, replace(question, lot=lot_of(request_id)))
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

    async def cards(self) -> Cards | None:
        """What the files of each model say about it; None when a model does not answer. Models scaled to zero are not woken."""
        if await self._scaled_to_zero():
            return None
        try:
            async with asyncio.timeout(CARDS_WAIT_S):
                detector, classifier = await asyncio.gather(self._detector.call("card"), self._classifier.call("card"))
        except (TimeoutError, ReplicaDiedError, BackPressureError, DeploymentUnavailableError):
            return None
        return {"detector": detector, "classifier": classifier}

    async def _through_the_graph(self, photo: _Photo) -> GraphOutcome:
        # Serve's router would keep the photo until its deadline if no replica were there.
        for replicas in (self._detector, self._classifier):
            await replicas.wait_until_there(WARM_UP_WAIT_S)
        spec = self._crop_spec or await self._ask_for_crop_spec()
        self._refresh_classifier_name()  # while the detector works: a refusal does not pass the classifier
        while True:
            detection = await self._detect(photo, spec)
            if detection is None:
                return GraphOutcome(Code.CORRUPT_IMAGE)
            photo.stages |= detection.stages
            self._answered_at["detector"] = time.monotonic()
            if detection.code is not Code.OK:
                self._metrics.seen(bins_of_answer(detection.code))
                return GraphOutcome(detection.code, detection.people, None, detection.model, await self._current_classifier_name())
            answers = detection.classifications or await asyncio.gather(*(self._classify(photo, crop, spec) for crop in detection.crops))
            other = next((answer for answer in answers if isinstance(answer, OtherCropWanted)), None)
            classified = [answer for answer in answers if isinstance(answer, Classification)]
            # The deadline bounds how often a classifier can be exchanged while this photo is in flight.
            if other is not None:
                spec = self._crop_spec = other.crop_spec
            elif len({each.model for each in classified}) == 1:
                return self._answer(photo, detection, classified)
            else:  # a replica may lack the candidate that another one has
                photo.question = replace(photo.question, lot=NO_CANDIDATE)

    def _answer(self, photo: _Photo, detection: Detection, classified: Sequence[Classification]) -> GraphOutcome:
        self._answered_at["classifier"] = time.monotonic()
        first = classified[0]
        photo.stages |= {name: max(each.stages[name] for each in classified) for name in first.stages}
        if not first.by_candidate:
            self._classifier_name, self._named_at = first.model, time.monotonic()
        explained = None
        if detection.grid:
            explained = explanation(first.probabilities, [each.probabilities for each in classified[1:]], detection.grid)
        people = list(zip(detection.people, classified, strict=False))  # those beyond the limit have no answer
        self._metrics.seen(bins_of_answer(gate(detection.people)))
        for person, answer in people:
            self._metrics.seen(bins_of_person(answer.probabilities, person.area, answer.brightness))
        answers = [Outcome(answer.code, [person], answer.probabilities) for person, answer in people]
        outcome = Outcome.of_people(detection.people, answers, each=bool(photo.question.most_people))
        models = detection.model, first.model
        return GraphOutcome(outcome.code, outcome.people, outcome.probabilities, *models, each=outcome.each, explanation=explained)

    async def _ask_for_crop_spec(self) -> CropSpec:
        try:
            description: ModelDescription = await self._classifier.call("describe")
        except ReplicaDiedError as error:
            raise NobodyThereError from error
        assert description.crop_spec is not None
        self._crop_spec, self._classifier_name = description.crop_spec, str(description)
        self._named_at = time.monotonic()
        return description.crop_spec

    def _refresh_classifier_name(self) -> None:
        """Asks for the classifier's name in the background, where no answer has told it lately."""
        if time.monotonic() - self._named_at > NAME_TRUST_S and (self._naming is None or self._naming.done()):
            self._naming = asyncio.create_task(self._ask_for_classifier_name())

    async def _ask_for_classifier_name(self) -> None:
        # When the classifier does not answer, its last name will do: it did not see this photo.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(HEALTH_WAIT_S):
                await self._ask_for_crop_spec()

    async def _current_classifier_name(self) -> str:
        if self._naming is not None:
            await asyncio.wait([self._naming])
        return self._classifier_name

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
        crops = 1 + MOST_PATCHES if photo.question.explain else max(photo.question.most_people, 1)
        answer_bytes = crops * math.prod(spec.shape)
        detection: Detection = await self._detector.call("detect", photo.image, spec, photo.question, answer_bytes=answer_bytes)
        return detection

    async def _classify(self, photo: _Photo, crop: RGB, spec: CropSpec) -> Classification | OtherCropWanted:
        """Asks the classifier, again if its replica dies: a crop cannot be the cause."""
        while True:
            with contextlib.suppress(ReplicaDiedError):
                answer: Classification | OtherCropWanted = await self._classifier.call("classify", crop, spec, photo.question.lot)
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
        """What a replica that can answer says, with the faults of all of them; None when none can."""
        answers, silent = await self._ask_each_to_describe(replicas)
        now = time.monotonic()
        if not silent:
            self._silent_since.pop(role, None)
        silent_since = self._silent_since.setdefault(role, now) if silent else now
        able = sorted((each for each in answers if each.working_s <= STALLED_S), key=lambda each: each.fault is not None)
        if not able:
            trusted = now - self._answered_at.get(role, float("-inf")) < HEALTH_TRUST_S
            return self._described.get(role) if trusted else None
        faults = {each.fault for each in answers if each.fault}
        if now - silent_since > HEALTH_TRUST_S:  # a replica that misses one call may just be busy
            faults.add("a replica does not answer")
        if len(able) < len(answers):
            faults.add(f"a replica has worked on one thing for {max(each.working_s for each in answers):.0f} s")
        self._described[role] = replace(able[0], fault="; ".join(sorted(faults)) or None)
        return self._described[role]

    async def _ask_each_to_describe(self, replicas: Replicas) -> tuple[list[ModelDescription], bool]:
        """The replicas' descriptions, and whether a replica is silent: then only that of one which is not, if there is one."""
        each, one = await asyncio.gather(
            replicas.ask_each("describe", HEALTH_WAIT_S),
            asyncio.wait_for(replicas.call("describe"), HEALTH_WAIT_S),
            return_exceptions=True,
        )
        if isinstance(each, list) and each:
            return each, False
        return ([] if isinstance(one, BaseException) else [one]), True

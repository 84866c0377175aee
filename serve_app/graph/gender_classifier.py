"""Deployment: classifies crops of one person in batches; calibrated probabilities come out."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from ray import serve

from serve_app.checkpoints import Checkpoint, CheckpointError, forget_unused
from serve_app.checkpoints.card import Card, read_card
from serve_app.graph.batching import BatchWorker, run_each_with_its_model, warm_up
from serve_app.graph.candidate import Candidate, CandidateConfig
from serve_app.graph.messages import Classification, ModelDescription, OtherCropWanted
from serve_app.graph.model_slot import ModelSlot
from serve_app.graph.pins import Pins
from serve_app.graph.ray_internals import quieten_batch_warning
from serve_app.graph.watch import Watch
from serve_app.question import NO_CANDIDATE
from serve_app.runtimes.base import RunOptions
from serve_app.settings import Settings
from serve_app.telemetry import BatchMetrics, CandidateMetrics, ReferenceMetrics, log_with_serve
from serve_app.vision.classifier import Classifier, confidence_gate
from serve_app.vision.cropping import CropSpec, brightness_of
from serve_app.vision.drift import read_reference
from serve_app.vision.golden import check_golden
from serve_app.vision.images import RGB

Work = tuple[Classifier, RGB]
Probabilities = dict[str, float]
Timed = tuple[Probabilities, float]  # with the seconds that the crop took in its batch

# `@serve.batch` must never be the limit: the worker decides how many crops go through the model together.
COLLECT_AT_MOST = 64
COLLECTIONS_AT_ONCE = 1024
MOST_SHADOWS = 16  # crops that wait for the candidate


class GenderClassifier:
    """Classifies in one thread of its own.

    The body of `@serve.batch` hands every item to one worker that drains its queue (see `batching`). Its timer is zero and its batches
    may overlap, so no request waits for it, and the model's batches are what queued up while the model was busy.

    Args:
        settings: cache and device.
        max_batch_size: most crops that go through the model together.
        threads: threads of one inference.
        deploy: see `Pins`.
        at_once: see `RunOptions`.

    Attributes:
        metrics: of the model's batches.
    """

    def __init__(self, settings: Settings, max_batch_size: int, threads: int, deploy: str = "", at_once: int = 1) -> None:
        log_with_serve(settings)
        quieten_batch_warning()
        self._settings = settings
        self._deploy = deploy
        self._options = RunOptions.of(settings, threads, at_once)
        self._watch = Watch(settings.hang_after_s)
        self.metrics = BatchMetrics("classifier")
        self._worker: BatchWorker[Work, Timed] = BatchWorker(
            classify_batch,
            max_batch_size,
            on_batch=self.metrics,
            watch=self._watch,
        )
        self._reference = ReferenceMetrics()
        self._slot = ModelSlot(self._load, self._warm, taken_up=lambda model: self._reference.show(read_reference(model.checkpoint)))
        self._applied: dict[str, Any] | None = None
        self._candidate_metrics = CandidateMetrics()
        self._candidate = Candidate(lambda: ModelSlot(self._load_candidate, self._warm), self._candidate_metrics)
        self._asking = 0  # requests
        self._shadows: set[asyncio.Task[None]] = set()

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Applies `model_uri`, the overrides of the checkpoint's decision, and the `CandidateConfig`; null means the default."""
        of_candidate, own = CandidateConfig.split(user_config)
        if own != self._applied:  # the shares of a candidate change without loading anything
            await self._slot.apply(own)
            self._applied = own
        self._candidate.apply(of_candidate)

    @property
    def current(self) -> Classifier:
        """The model in use."""
        return self._slot.current

    @property
    def has_candidate(self) -> bool:
        """Whether a second classifier may be asked, too."""
        return self._candidate.configured

    async def classify(self, crop: RGB, spec: CropSpec, lot: float = NO_CANDIDATE) -> Classification | OtherCropWanted:
        """Classifies a crop of shape `spec.shape`, uint8, that was made with `spec`.

        Args:
            lot: of the request, see `question.lot_of`.

        Raises:
            Exception: the model failed for this crop.
        """
        classifier = self._slot.current
        if spec != classifier.crop_spec:
            return OtherCropWanted(classifier.crop_spec)
        started = time.perf_counter()
        self._asking += 1
        try:
            candidate = self._candidate.for_request(lot, classifier)
            outcome = await self._ask_candidate(candidate, crop) if candidate else None
            if candidate and outcome:
                self._candidate.answered()
                return classification(candidate, outcome, crop, started, by_candidate=True)
            outcome, seconds = await self._ask(classifier, crop)
        finally:
            self._asking -= 1
        self._candidate.took(seconds, current=True)
        if (candidate := self._candidate.for_shadow(classifier)) and len(self._shadows) < MOST_SHADOWS:
            task = asyncio.create_task(self._shadow(candidate, crop, outcome))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)
        return classification(classifier, outcome, crop, started)

    async def _ask(self, classifier: Classifier, crop: RGB) -> Timed:
        found = await self._collect((classifier, crop))
        if isinstance(found, BaseException):
            raise found
        return found

    async def _ask_candidate(self, candidate: Classifier, crop: RGB) -> Probabilities | None:
        try:
            outcome, seconds = await self._ask(candidate, crop)
        except Exception as error:
            self._candidate.failed(error)
            return None
        self._candidate.took(seconds)
        return outcome

    async def _shadow(self, candidate: Classifier, crop: RGB, answer: Probabilities) -> None:
        """Asks the candidate about a crop that was answered, unless requests wait."""
        if self._asking:
            self._candidate.skipped()
        elif outcome := await self._ask_candidate(candidate, crop):
            self._candidate.compared(answer, outcome)

    async def describe(self) -> ModelDescription:
        """The model in use and its crops."""
        return describe(self._slot.current, self._slot.fault or self._candidate.fault, self._watch.oldest_s)

    async def card(self) -> Card:
        """What the files of the model in use say about it."""
        return await asyncio.to_thread(read_card, self._slot.current.checkpoint, self._slot.current.decision)

    async def check_health(self) -> None:
        """Fails when the model's thread has died or a thread hangs: Serve then replaces the replica.

        It is called every few seconds, which keeps our gauges exported, too.

        Raises:
            RuntimeError: says which.
        """
        self._reference.refresh()
        self._candidate_metrics.refresh()
        if not self._worker.alive:
            raise RuntimeError("the model's thread has died")
        self._watch.check()

    @serve.batch(max_batch_size=COLLECT_AT_MOST, batch_wait_timeout_s=0.0, max_concurrent_batches=COLLECTIONS_AT_ONCE)
    async def _collect(self, work: list[Work]) -> list[Timed | BaseException]:
        # Failures are values here: an exception would fail every caller of the batch, and a cancellation would hang them.
        return await asyncio.gather(*(self._worker.submit(item) for item in work), return_exceptions=True)

    def _load(self, config: dict[str, Any]) -> Classifier:
        overrides = dict(config)
        uri = overrides.pop("model_uri", None) or self._settings.effective_classifier_uri

        def load(checkpoint: Checkpoint) -> Classifier:
            model = Classifier.load(checkpoint, self._options, overrides)
            check_golden(model)
            return model

        model = Pins.of_this_replica(self._deploy, "classifier").load(uri, config, self._settings.model_cache_dir, load)
        forget_unused(self._settings.model_cache_dir, self._settings.model_cache_bytes)
        return model

    def _load_candidate(self, config: dict[str, Any]) -> Classifier:
        crops = self._slot.current.crop_spec

        def load(checkpoint: Checkpoint) -> Classifier:
            model = Classifier.load(checkpoint, self._options)
            check_golden(model)
            if model.crop_spec != crops:
                advice = "Exchange the classifier for it with model_uri instead"
                raise CheckpointError(checkpoint.uri, "it takes other crops than the classifier in use, and cannot run beside it", advice)
            return model

        pins = Pins.of_this_replica(self._deploy, "candidate")
        return pins.load(config["model_uri"], config, self._settings.model_cache_dir, load)

    async def _warm(self, classifier: Classifier) -> None:
        crop = classifier.blank_crop()
        await warm_up(lambda size: classifier.warm_up([crop] * size), self._worker.max_batch_size, self._watch)


def describe(classifier: Classifier, fault: str | None = None, working_s: float = 0.0) -> ModelDescription:
    """Name, revision and crops of a classifier."""
    return ModelDescription(classifier.checkpoint.name, classifier.checkpoint.revision, classifier.crop_spec, fault, working_s)


def classification(
    classifier: Classifier, probabilities: Probabilities, crop: RGB, started: float, *, by_candidate: bool = False
) -> Classification:
    """What a classifier answers about a crop that it was asked about at `started`."""
    code = confidence_gate(probabilities, classifier.decision)
    stages = {"classify": time.perf_counter() - started}
    return Classification(code, probabilities, str(describe(classifier)), stages, brightness_of(crop), by_candidate)


def classify_batch(work: list[Work]) -> list[Timed]:
    """Classifies one batch of crops, each with the classifier that it was made for."""
    return run_each_with_its_model(work, classify_timed)


def classify_timed(classifier: Classifier, crops: Sequence[RGB]) -> list[Timed]:
    """The probabilities of each crop, and the seconds that it took."""
    started = time.perf_counter()
    answers = classifier(crops)
    seconds = (time.perf_counter() - started) / len(crops)
    return [(answer, seconds) for answer in answers]

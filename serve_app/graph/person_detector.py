"""Deployment: decodes a photo, detects its people, applies the person rule, and crops when there is exactly one person."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from serve_app.checkpoints import Checkpoint, forget_unused
from serve_app.checkpoints.card import Card, read_card
from serve_app.codes import Code
from serve_app.graph.batching import BatchWorker, run_each_with_its_model, warm_up
from serve_app.graph.messages import Detection, ModelDescription
from serve_app.graph.model_slot import ModelSlot
from serve_app.graph.pins import Pins
from serve_app.graph.watch import Watch
from serve_app.question import ORIGINAL, Question
from serve_app.runtimes.base import RunOptions
from serve_app.settings import Settings
from serve_app.telemetry import BatchMetrics, log_with_serve
from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.decoding import DecodeLimits, ImageRefused
from serve_app.vision.decoding_lanes import DecodingLanes
from serve_app.vision.detector import Detector
from serve_app.vision.explaining import Grid, crops_with_hidden_parts, grid_over
from serve_app.vision.golden import check_golden
from serve_app.vision.images import RGB
from serve_app.vision.machine_places import MachinePlaces
from serve_app.vision.people import DetectedPerson, people_that_count, whom_to_answer

Work = tuple[Detector, RGB]


class PersonDetector:
    """Decodes in a few threads of its own (see `decoding_lanes`), detects in one, and applies the person rule.

    Args:
        settings: limits, cache and device.
        max_batch_size: most photos that go through the model together.
        threads: threads of one inference.
        decode_threads: threads that decode and resize small photos, and crop; large photos have one more.
        deploy: see `Pins`.
        at_once: see `RunOptions`.

    Attributes:
        watch: knows of all work in progress.
        metrics: of the model's batches.
    """

    def __init__(
        self, settings: Settings, max_batch_size: int, threads: int, decode_threads: int, deploy: str = "", at_once: int = 1
    ) -> None:
        log_with_serve(settings)
        self._settings = settings
        self._deploy = deploy
        self._options = RunOptions.of(settings, threads, at_once)
        self.watch = Watch(settings.hang_after_s)
        self.metrics = BatchMetrics("detector")
        self._decoding = DecodingLanes(
            DecodeLimits.of(settings),
            decode_threads,
            settings.max_pixels_in_decoding,
            partial(self.watch.working, "decoding a photo"),
            MachinePlaces.for_large_photos().place,
        )
        self._worker: BatchWorker[Work, list[DetectedPerson]] = BatchWorker(
            detect_batch,
            max_batch_size,
            on_batch=self.metrics,
            watch=self.watch,
        )
        self._slot = ModelSlot(self._load, self._warm)

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Applies `model_uri` and the overrides of the checkpoint's decision; null means the default."""
        await self._slot.apply(user_config)

    @property
    def current(self) -> Detector:
        """The model in use."""
        return self._slot.current

    async def detect(self, image: bytes, spec: CropSpec, question: Question = ORIGINAL) -> Detection:
        """Decodes a photo, counts its people, and crops those whom the question is about.

        Raises:
            Exception: the model failed; no photo passes then.
        """
        detector = self._slot.current
        model = str(describe(detector))
        started = time.perf_counter()
        try:
            photo, prepared = await self._decoding.decode(image, lambda photo: (photo, detector.prepare(photo)))
        except ImageRefused as refused:
            return Detection(refused.code, [], [], model, {"decode": time.perf_counter() - started})
        decoded = time.perf_counter()
        people = people_that_count(await self._worker.submit((detector, prepared)), detector.decision)
        detected = time.perf_counter()
        stages = {"decode": decoded - started, "detect": detected - decoded}
        code, people = whom_to_answer(people, question.most_people)
        if code is not Code.OK:
            return Detection(code, people, [], model, stages)
        grid = grid_over(people[0], photo.shape[1], photo.shape[0]) if question.explain and len(people) == 1 else None
        crops = await self._decoding.run(crop_people, photo, people[: question.most_people or 1], spec, grid)
        return Detection(code, people, crops, model, stages | {"crop": time.perf_counter() - detected}, grid=grid)

    async def describe(self) -> ModelDescription:
        """The model in use."""
        return describe(self._slot.current, self._slot.fault, self.watch.oldest_s)

    async def card(self) -> Card:
        """What the files of the model in use say about it."""
        return await asyncio.to_thread(read_card, self._slot.current.checkpoint, self._slot.current.decision)

    async def check_health(self) -> None:
        """Fails when the model's thread has died or a thread hangs: Serve then replaces the replica.

        Raises:
            RuntimeError: says which.
        """
        if not self._worker.alive:
            raise RuntimeError("the model's thread has died")
        self.watch.check()

    def _load(self, config: dict[str, Any]) -> Detector:
        overrides = dict(config)
        uri = overrides.pop("model_uri", None) or self._settings.detector_uri

        def load(checkpoint: Checkpoint) -> Detector:
            model = Detector.load(checkpoint, self._options, overrides)
            check_golden(model)
            return model

        model = Pins.of_this_replica(self._deploy, "detector").load(uri, config, self._settings.model_cache_dir, load)
        forget_unused(self._settings.model_cache_dir, self._settings.model_cache_bytes)
        return model

    async def _warm(self, detector: Detector) -> None:
        photo = detector.prepare(blank_photo())
        await warm_up(lambda size: detector.warm_up([photo] * size), self._worker.max_batch_size, self.watch)


def blank_photo() -> RGB:
    """A grey photo to warm up a model."""
    return np.full((384, 512, 3), 127, dtype=np.uint8)


def crop_people(photo: RGB, people: Sequence[DetectedPerson], spec: CropSpec, grid: Grid | None) -> list[RGB]:
    """Each person, cropped for the classifier; with a grid, the only one also with hidden parts."""
    crops = [crop_person(photo, person, spec) for person in people]
    return crops if grid is None else [*crops, *crops_with_hidden_parts(photo, people[0], spec, grid)]


def describe(detector: Detector, fault: str | None = None, working_s: float = 0.0) -> ModelDescription:
    """Name and revision of a detector."""
    return ModelDescription(detector.checkpoint.name, detector.checkpoint.revision, fault=fault, working_s=working_s)


def detect_batch(work: list[Work]) -> list[list[DetectedPerson]]:
    """Detects in one batch of photos, each with the detector that prepared it."""
    return run_each_with_its_model(work, lambda detector, photos: detector.detect(photos))

"""Deployment: both models in one process, for machines of few cores: no crop is sent from one process to another."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from serve_app.checkpoints.card import Card
from serve_app.graph.batching import BatchWorker
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.messages import Classification, Detection, ModelDescription, OtherCropWanted
from serve_app.graph.person_detector import PersonDetector
from serve_app.graph.run_to_completion import Photo, RunToCompletion
from serve_app.question import ORIGINAL, Question
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.decoding import DecodeLimits


class ColocatedModels:
    """The two deployments as parts of one, each with its own model and part of the `user_config`.

    Photos with a short question run to completion in as many threads as an inference may have. For longer questions, large photos, and
    while there is a candidate, each part has its own threads and batches as elsewhere.

    Args:
        settings: see the two deployments.
        detector: further arguments of `PersonDetector`; photos that run to completion have its `max_batch_size` and `threads`, too.
        classifier: further arguments of `GenderClassifier`.
        deploy: see `Pins`.
    """

    def __init__(self, settings: Settings, detector: dict[str, int], classifier: dict[str, int], deploy: str = "") -> None:
        at_once = detector["threads"]
        self._detector = PersonDetector(settings, **detector, deploy=deploy, at_once=at_once)
        self._classifier = GenderClassifier(settings, **classifier, deploy=deploy, at_once=at_once)
        self._worker: BatchWorker[Photo, Detection | None] = BatchWorker(
            RunToCompletion(DecodeLimits.of(settings), self._detector.metrics, self._classifier.metrics),
            detector["max_batch_size"],
            watch=self._detector.watch,
            threads=at_once,
        )

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Applies the `user_config` of each model, under `detector` and `classifier`.

        Raises:
            ValueError: there is another key.
        """
        if unknown := user_config.keys() - {"detector", "classifier"}:
            raise ValueError(f"user_config: unknown {', '.join(sorted(unknown))}")
        await asyncio.gather(
            self._detector.reconfigure(user_config.get("detector") or {}),
            self._classifier.reconfigure(user_config.get("classifier") or {}),
        )

    async def detect(self, image: bytes, spec: CropSpec, question: Question = ORIGINAL) -> Detection:
        """Detects, and classifies the crops: the answer has the classifications instead.

        Raises:
            Exception: a model failed.
        """
        if question.is_short and not self._classifier.has_candidate:
            photo = Photo(image, (self._detector.current, self._classifier.current))
            if answer := await self._worker.submit(photo):
                return answer
        while True:
            detection = await self._detector.detect(image, spec, question)
            answers = await asyncio.gather(*(self._classifier.classify(crop, spec, question.lot) for crop in detection.crops))
            classifications = [answer for answer in answers if isinstance(answer, Classification)]
            if len(classifications) == len(answers):
                return replace(detection, crops=[], classifications=classifications)
            # The classifier was exchanged for one with other crops.
            spec = next(answer.crop_spec for answer in answers if isinstance(answer, OtherCropWanted))

    async def detect_all(self, photos: Sequence[tuple[bytes, CropSpec, Question]]) -> list[Detection | None]:
        """Detects and classifies in several photos (see `bundles`); None for one whose detection failed."""
        answers = await asyncio.gather(*(self.detect(*photo) for photo in photos), return_exceptions=True)
        return [None if isinstance(answer, BaseException) else answer for answer in answers]

    async def describe(self) -> ModelDescription:
        """The detector in use."""
        return await self._detector.describe()

    async def card(self) -> Card:
        """What the detector's files say about it."""
        return await self._detector.card()

    async def describe_of_the_classifier(self) -> ModelDescription:
        """The classifier in use and its crops."""
        return await self._classifier.describe()

    async def card_of_the_classifier(self) -> Card:
        """What the classifier's files say about it."""
        return await self._classifier.card()

    async def check_health(self) -> None:
        """Fails when a thread of either model has died or hangs.

        Raises:
            RuntimeError: says which.
        """
        if not self._worker.alive:
            raise RuntimeError("a thread of both models has died")
        await self._detector.check_health()
        await self._classifier.check_health()

"""A photo's whole way in one thread: it is decoded, seen by the detector, cropped and classified without a change of threads.

Between threads, a photo changes hands seven times, and its pixels cores: on two cores that costs a tenth of what the models take, and one
client waits two to three milliseconds longer (benchmarks/README.md). This is for `ColocatedModels`: elsewhere the models have processes of
their own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from serve_app.codes import Code
from serve_app.graph.gender_classifier import classification
from serve_app.graph.messages import Detection, Stages
from serve_app.graph.person_detector import describe
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import crop_person
from serve_app.vision.decoding import DecodeLimits, EncodedPhoto, ImageRefused
from serve_app.vision.decoding_lanes import SMALL_WORK
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from serve_app.vision.people import people_that_count, whom_to_answer

OnBatch = Callable[[int, float], None]


@dataclass(frozen=True)
class Photo:
    """A photo with a short question.

    Attributes:
        image: its bytes.
        models: that answer about it: during an exchange, others than those of the next photo.
        asked: when, in the seconds of `time.perf_counter`.
    """

    image: bytes
    models: tuple[Detector, Classifier]
    asked: float = field(default_factory=time.perf_counter)


@dataclass
class _Decoded:
    """A photo on its way, and the seconds by stage so far."""

    pixels: RGB
    prepared: RGB
    stages: Stages
    since: float

    def passed(self, stage: str) -> None:
        """Notes that a stage has ended."""
        now = time.perf_counter()
        self.stages[stage], self.since = now - self.since, now


class RunToCompletion:
    """Photos in, their detections with classifications out, in the same order; several threads may call it.

    Args:
        limits: which photos are accepted.
        on_detected: called after each batch of the detector with its size and its duration in seconds.
        on_classified: the same of the classifier.
    """

    def __init__(self, limits: DecodeLimits, on_detected: OnBatch, on_classified: OnBatch) -> None:
        self._limits = limits
        self._on_detected = on_detected
        self._on_classified = on_classified

    def __call__(self, photos: Sequence[Photo]) -> list[Detection | None]:
        """One batch; None for a large photo, which would hold up the others.

        Raises:
            Exception: a model failed.
        """
        answers: list[Detection | None] = []
        for (detector, classifier), group in groupby(photos, key=lambda photo: photo.models):
            answers += self._answer(list(group), detector, classifier)
        return answers

    def _answer(self, photos: Sequence[Photo], detector: Detector, classifier: Classifier) -> list[Detection | None]:
        model = str(describe(detector))
        answers: dict[int, Detection] = {}
        decoded: dict[int, _Decoded] = {}
        for index, photo in enumerate(photos):
            try:
                if small := self._decoded_if_small(photo, detector):
                    decoded[index] = small
            except ImageRefused as refused:
                answers[index] = Detection(refused.code, [], [], model, {"decode": time.perf_counter() - photo.asked})
        answers |= self._detect(decoded, detector, model)
        answers |= self._classify(decoded, answers, classifier)
        return [answers.get(index) for index in range(len(photos))]

    def _decoded_if_small(self, photo: Photo, detector: Detector) -> _Decoded | None:
        encoded = EncodedPhoto(photo.image, self._limits)
        if encoded.work > SMALL_WORK:
            return None
        pixels = encoded.decode()
        decoded = _Decoded(pixels, detector.prepare(pixels), {}, photo.asked)
        decoded.passed("decode")
        return decoded

    def _detect(self, decoded: dict[int, _Decoded], detector: Detector, model: str) -> dict[int, Detection]:
        if not decoded:
            return {}
        started = time.perf_counter()
        found = detector.detect([photo.prepared for photo in decoded.values()])
        self._on_detected(len(found), time.perf_counter() - started)
        detections = {}
        for (index, photo), people in zip(decoded.items(), found, strict=True):
            photo.passed("detect")
            code, people = whom_to_answer(people_that_count(people, detector.decision), 0)
            detections[index] = Detection(code, people, [], model, photo.stages)
        return detections

    def _classify(self, decoded: dict[int, _Decoded], detections: dict[int, Detection], classifier: Classifier) -> dict[int, Detection]:
        crops: dict[int, RGB] = {}
        for index, photo in decoded.items():
            if detections[index].code is Code.OK:
                crops[index] = crop_person(photo.pixels, detections[index].people[0], classifier.crop_spec)
                photo.passed("crop")
        if not crops:
            return {}
        started = time.perf_counter()
        probabilities = classifier(list(crops.values()))
        self._on_classified(len(crops), time.perf_counter() - started)
        answered = {}
        for (index, crop), each in zip(crops.items(), probabilities, strict=True):
            classified = classification(classifier, each, crop, decoded[index].since)
            answered[index] = replace(detections[index], classifications=[classified])
        return answered

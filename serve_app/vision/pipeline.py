"""All stages in one process, without Ray: for `evaluate` and `predict`. Built from the same parts as the graph."""

from collections.abc import Sequence

from serve_app.codes import Code
from serve_app.vision.classifier import Classifier, confidence_gate
from serve_app.vision.cropping import crop_person
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.outcome import Outcome
from serve_app.vision.people import gate, people_that_count

__all__ = ["Outcome", "Pipeline"]


class Pipeline:
    """Encoded photos in, outcomes out, in the same order."""

    def __init__(self, detector: Detector, classifier: Classifier, limits: DecodeLimits) -> None:
        self._detector = detector
        self._classifier = classifier
        self._limits = limits

    def __call__(self, images: Sequence[bytes]) -> list[Outcome]:
        """Decodes, detects, counts, crops and classifies."""
        outcomes: dict[int, Outcome] = {}
        photos = {}
        for index, image in enumerate(images):
            try:
                photos[index] = decode(image, self._limits)
            except ImageRefused as refused:
                outcomes[index] = Outcome(refused.code, [])
        crops = {}
        for index, found in zip(photos, self._detector(list(photos.values())), strict=True):
            people = people_that_count(found, self._detector.decision)
            outcomes[index] = Outcome(gate(people), people)
            if outcomes[index].code is Code.OK:
                crops[index] = crop_person(photos[index], people[0], self._classifier.crop_spec)
        for index, probabilities in zip(crops, self._classifier(list(crops.values())), strict=True):
            code = confidence_gate(probabilities, self._classifier.decision)
            outcomes[index] = Outcome(code, outcomes[index].people, probabilities)
        return [outcomes[index] for index in range(len(images))]

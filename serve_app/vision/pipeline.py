"""All stages in one process, without Ray: for `evaluate` and `predict`. Built from the same parts as the graph."""

from collections.abc import Sequence

from serve_app.codes import Code
from serve_app.vision.classifier import Classifier, confidence_gate
from serve_app.vision.cropping import crop_person
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.outcome import Outcome
from serve_app.vision.people import DetectedPerson, people_that_count, whom_to_answer

__all__ = ["Outcome", "Pipeline"]


class Pipeline:
    """Encoded photos in, outcomes out, in the same order.

    Args:
        most_people: classify each of up to so many people, the largest; 0: refuse several.
    """

    def __init__(self, detector: Detector, classifier: Classifier, limits: DecodeLimits, most_people: int = 0) -> None:
        self._detector = detector
        self._classifier = classifier
        self._limits = limits
        self._most_people = most_people

    def __call__(self, images: Sequence[bytes]) -> list[Outcome]:
        """Decodes, detects, counts, crops and classifies."""
        outcomes: dict[int, Outcome] = {}
        photos = {}
        for index, image in enumerate(images):
            try:
                photos[index] = decode(image, self._limits)
            except ImageRefused as refused:
                outcomes[index] = Outcome(refused.code, [])
        asked: list[tuple[int, DetectedPerson]] = []
        for index, found in zip(photos, self._detector(list(photos.values())), strict=True):
            code, people = whom_to_answer(people_that_count(found, self._detector.decision), self._most_people)
            outcomes[index] = Outcome(code, people)
            if code is Code.OK:
                asked += [(index, person) for person in people[: self._most_people or 1]]
        crops = [crop_person(photos[index], person, self._classifier.crop_spec) for index, person in asked]
        each: dict[int, list[Outcome]] = {}
        for (index, person), probabilities in zip(asked, self._classifier(crops), strict=True):
            code = confidence_gate(probabilities, self._classifier.decision)
            each.setdefault(index, []).append(Outcome(code, [person], probabilities))
        for index, answers in each.items():
            outcomes[index] = Outcome.of_people(outcomes[index].people, answers, each=bool(self._most_people))
        return [outcomes[index] for index in range(len(images))]

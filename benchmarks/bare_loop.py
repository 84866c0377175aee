"""The bare loop: the two models in plain transformers, the baseline of the service.

It shares decoding, cropping, the classifier's normalisation and the person rule with the service, so that the answers are the same; the
model calls are written out.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification, AutoModelForObjectDetection

from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.codes import Code
from serve_app.runtimes.networks import normalisation, trained_size
from serve_app.vision.classifier import confidence_gate
from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.decoding import DecodeLimits, decode
from serve_app.vision.images import RGB
from serve_app.vision.people import DetectedHead, DetectedPerson, gate, people_that_count, with_heads
from serve_app.vision.pipeline import Outcome


class BareLoop:
    """Encoded photos in, outcomes out, in the same order. Both models are folders."""

    def __init__(self, detector: Path, classifier: Path, limits: DecodeLimits) -> None:
        self._limits, options = limits, {"dtype": torch.float32, "local_files_only": True}
        self._detector = AutoModelForObjectDetection.from_pretrained(detector, **options).eval().to(memory_format=torch.channels_last)
        self._classifier = AutoModelForImageClassification.from_pretrained(classifier, **options).eval()
        self._processor = AutoImageProcessor.from_pretrained(detector, backend="pil")
        judge = AutoImageProcessor.from_pretrained(classifier, backend="pil")
        self._rule, self._decision = DetectorDecision.read(detector), (decision := ClassifierDecision.read(classifier))
        margin, aspect, side = decision.crop_margin, decision.crop_aspect, trained_size(judge)[1]
        self._crop_spec = CropSpec(margin, aspect, side, judge.resample, decision.views, decision.head_margin)
        self._mean, self._deviation = normalisation(judge)
        classes = {name.lower(): index for index, name in self._detector.config.id2label.items()}
        self._person, self._head = classes["person"], classes.get("head")
        self._floors = {self._person: min(self._rule.score_threshold, self._rule.least_score), self._head: self._rule.head_floor}
        self._labels = [self._classifier.config.id2label[index].lower() for index in (0, 1)]

    @torch.inference_mode()
    def __call__(self, images: Sequence[bytes]) -> list[Outcome]:
        """One batch."""
        photos = [decode(image, self._limits) for image in images]
        people = [people_that_count(found, self._rule) for found in self._detect(photos)]
        outcomes = [Outcome(gate(found), found) for found in people]
        singles = [index for index, outcome in enumerate(outcomes) if outcome.code is Code.OK]
        crops = [crop_person(photos[index], people[index][0], self._crop_spec) for index in singles]
        for index, probabilities in zip(singles, self._classify(crops), strict=True):
            outcomes[index] = Outcome(confidence_gate(probabilities, self._decision), people[index], probabilities)
        return outcomes

    def _detect(self, photos: Sequence[RGB]) -> list[list[DetectedPerson]]:
        by_shape: dict[torch.Size, list[tuple[int, Tensor]]] = defaultdict(list)  # padding would change DETR's answers
        for index, photo in enumerate(photos):
            pixels = self._processor(images=photo, return_tensors="pt", input_data_format="channels_last")["pixel_values"][0]
            by_shape[pixels.shape].append((index, pixels))
        found: list[list[DetectedPerson]] = [[] for _ in photos]
        for group in by_shape.values():
            batch = torch.stack([pixels for _, pixels in group]).contiguous(memory_format=torch.channels_last)
            outputs = self._detector(pixel_values=batch)
            results = self._processor.post_process_object_detection(outputs, threshold=min(self._floors.values()))
            for (index, _), result in zip(group, results, strict=True):
                rows = list(zip(result["boxes"].clamp(0, 1).tolist(), result["scores"].tolist(), result["labels"].tolist(), strict=True))
                likely = [row for row in rows if row[1] > self._floors.get(row[2], 1.0)]
                people = [DetectedPerson(tuple(box), score) for box, score, label in likely if label == self._person]
                heads = [DetectedHead(tuple(box), score) for box, score, label in likely if label == self._head]
                found[index] = people if self._head is None else with_heads(people, heads)
        return found

    def _classify(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        if not crops:
            return []
        pixels = torch.stack([torch.from_numpy(crop.copy()) for crop in crops]).permute(0, 3, 1, 2).float()
        logits = self._classifier(pixel_values=(pixels - self._mean) / self._deviation).logits
        rows = torch.softmax(logits / self._decision.temperature, dim=-1).tolist()
        return [dict(zip(self._labels, row, strict=True)) for row in rows]

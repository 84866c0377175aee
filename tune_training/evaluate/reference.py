"""What the validation photos look like to the two models: serving tells the drift of its photos from it (see `serve_app.vision.drift`)."""

from collections.abc import Iterator

from serve_app.runtimes.base import FEMALE, MALE
from serve_app.vision.drift import Bins, Reference, bins_of_answer, bins_of_person
from tune_training.data.manifest import VAL
from tune_training.evaluate.calibration import probability_of_female
from tune_training.evaluate.scores import Judged


def reference(validation: Judged) -> Reference:
    """The shares of the validation photos and their people, by quantity and bin."""
    return Reference.of(VAL, len(validation.codes), _bins(validation))


def _bins(judged: Judged) -> Iterator[Bins]:
    female = probability_of_female(judged.margins, judged.temperature).tolist()
    looks = judged.looks or [(None, None)] * len(judged.codes)
    for code, answered, probability, (area, brightness) in zip(judged.codes, judged.answered, female, looks, strict=True):
        yield bins_of_answer(code)
        if answered:
            yield bins_of_person({FEMALE: probability, MALE: 1 - probability}, area, brightness)

"""The most confident mistakes as one HTML page, with what the classifier saw of each photo.

It shows photos of people, so it is written where its user chose, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from serve_app.runtimes.base import FEMALE, MALE
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import crop_person
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB
from tune_training.data.photo import Photo
from tune_training.evaluate.answers import GatedPhoto, gated
from tune_training.evaluate.comparison import label_groups
from tune_training.evaluate.scores import Judged
from tune_training.pages import Sheet, SheetPhoto, picture, render

GALLERY_FILE = "errors.html"


def write_gallery(
    judged: Mapping[str, tuple[Sequence[Photo], Judged]], most: int, detector: Detector, classifier: Classifier, name: str
) -> str:
    """The page's text; reads the photos that it shows.

    Args:
        judged: the photos and answers of each split.
        most: photos in each part of the page.
        name: of the data.
    """
    parts: list[tuple[str, Sequence[Photo], Judged, list[int]]] = []
    for split, (photos, raw) in judged.items():
        given = raw.confidence >= classifier.decision.min_confidence
        answers = replace(raw, margins=np.where(given, raw.margins, np.nan))
        for title, members in {"all photos": answers.answered, **label_groups(photos, fewest=1)}.items():
            mistakes = np.flatnonzero(members & answers.answered & ~answers.right)
            if len(mistakes):
                title = f"{split}, {title}: {len(mistakes)} of {(members & answers.answered).sum()} answers are wrong"
                parts.append((title, photos, answers, mistakes[np.argsort(-answers.confidence[mistakes], kind="stable")][:most].tolist()))
    shown = {photo.uri: photo for _, photos, _, mistakes in parts for photo in (photos[index] for index in mistakes)}
    pictures = crops_of(list(shown.values()), detector, classifier)
    sheets = [
        Sheet(title, [_shown(photos[index], answers, index, pictures) for index in mistakes]) for title, photos, answers, mistakes in parts
    ]
    return render(
        "sheets.html",
        title=f"{classifier.checkpoint.name}: mistakes",
        lead=f"The most confident mistakes on photos of “{name}”, at most {most} of each group, as the classifier saw them.",
        sheets=sheets,
    )


def crops_of(photos: Sequence[Photo], detector: Detector, classifier: Classifier) -> dict[str, str]:
    """What the classifier sees of each photo, as a picture in a page, by the photo's URI; none of a refused photo."""
    seen = {each.photo.uri: _seen(each, classifier) for each in gated(photos, detector)}
    return {uri: picture(Image.fromarray(crop)) for uri, crop in seen.items() if crop is not None}


def _seen(each: GatedPhoto, classifier: Classifier) -> RGB | None:
    """The classifier's input for a photo that the person rule lets through."""
    return None if each.pixels is None or each.person is None else crop_person(each.pixels, each.person, classifier.crop_spec)


def _shown(photo: Photo, answers: Judged, index: int, pictures: Mapping[str, str]) -> SheetPhoto:
    answer = FEMALE if answers.predicted_female[index] else MALE
    return SheetPhoto(
        photo.name, f"labelled {photo.label}, answered {answer}, {answers.confidence[index]:.1%}", pictures.get(photo.uri, "")
    )

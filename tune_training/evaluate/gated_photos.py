"""Which labelled photos the gate of serving lets through to the classifier, and why it refuses the others."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from serve_app.codes import Code
from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.detector import Detector
from serve_app.vision.images import RGB, Box
from serve_app.vision.people import gate, people_that_count
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.batches import batches
from tune_training.io.models import decode_limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GatedPhoto:
    """A photo and what the gate says.

    Attributes:
        photo: what is known of it.
        code: OK, or why it is refused.
        pixels: (H, W, 3) uint8; None for what is no photo.
        box: of its person, if the code is OK.
    """

    photo: Photo
    code: Code
    pixels: RGB | None = None
    box: Box | None = None


def gated(photos: Sequence[Photo], detector: Detector) -> Iterator[GatedPhoto]:
    """Asks about the photos, a batch at a time as the answers are taken, in any order."""
    for part in batches(photos, doing="finding people"):
        decoded = []
        for photo in part:
            try:
                decoded.append((photo, decode(storage.read_bytes(photo.uri), decode_limits())))
            except ImageRefused as refused:
                logger.warning("%s is left out: %s", photo.uri, refused.code.value)
                yield GatedPhoto(photo, refused.code)
        for (photo, pixels), found in zip(decoded, detector([pixels for _, pixels in decoded]), strict=True):
            counted = people_that_count(found, detector.decision)
            code = gate(counted)
            yield GatedPhoto(photo, code, pixels, counted[0].box if code is Code.OK else None)

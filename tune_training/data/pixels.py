"""The pixels of a photo that was readable when `prepare` saw it."""

from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.images import RGB
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits


def read_pixels(photo: Photo) -> RGB:
    """The photo, (H, W, 3), uint8.

    Raises:
        InputError: it cannot be read any more.
    """
    try:
        return decode(storage.read_bytes(photo.uri), decode_limits())
    except (ImageRefused, OSError) as error:
        raise InputError(f"{photo.uri}: the photo can no longer be read ({error}). Run prepare again") from error

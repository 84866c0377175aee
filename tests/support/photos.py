"""Photos that may be redistributed or come with a test dependency, as JPEG bytes."""

import io
from functools import cache

import numpy as np
import skimage.data
from PIL import Image


def jpeg(pixels: np.ndarray | Image.Image, quality: int = 90) -> bytes:
    """Encodes RGB pixels, (H, W, 3) uint8."""
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@cache
def astronaut() -> bytes:
    """One woman, head to waist, with a flag and a model of a shuttle behind her (NASA, public domain): a hard case, with her hair up."""
    return jpeg(skimage.data.astronaut())


@cache
def cameraman() -> bytes:
    """One man behind a camera, in grey and cut to him (Lav Varshney, CC0): unlike the astronaut, an easy case."""
    return jpeg(np.stack([skimage.data.camera()[30:, 60:460]] * 3, axis=-1))


@cache
def cat() -> bytes:
    """A cat and no person."""
    return jpeg(skimage.data.chelsea())


@cache
def coffee() -> bytes:
    """A cup of coffee and no person."""
    return jpeg(skimage.data.coffee())


@cache
def two_people() -> bytes:
    """The astronaut twice, side by side."""
    photo = skimage.data.astronaut()
    return jpeg(np.concatenate([photo, photo[:, ::-1]], axis=1))

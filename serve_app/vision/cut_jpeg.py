"""JPEGs whose last bytes are missing: how much of the picture is there.

libjpeg fills what is missing with grey and does not say where it begins. So such a file is decoded twice, each time with something else
behind its end: what is the same in both came from the file.
"""

import random

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_NOISE_BYTES = 1 << 16  # more than a row of blocks takes


def with_end(data: bytes) -> bytes:
    """The file with an end marker: grey is where pixels are missing."""
    return data.removesuffix(b"\xff") + _END


def with_noise(data: bytes) -> bytes:
    """The file with noise and an end marker: noise is where pixels are missing, or at least where they begin to be."""
    dice = random.Random(0)  # noqa: S311 # any bytes do
    noise = dice.randbytes(_NOISE_BYTES).replace(b"\xff", b"\0")
    # A file with restart markers (they count from 0 to 7) may end before one: the decoder then skips all noise until it comes.
    ends = [data.rfind(bytes((0xFF, 0xD0 + number))) for number in range(8)]
    following = (ends.index(max(ends)) + 1) % 8 if max(ends) >= 0 else 0
    restarts = b"".join(bytes((0xFF, 0xD0 + (following + index) % 8)) + noise[:1024] for index in range(8))
    return data.removesuffix(b"\xff") + noise + restarts + _END


def decoded_share(with_grey: Image.Image, with_noise: Image.Image, block: int) -> float:
    """The share of the picture, 0 to 1, that is above and left of the first missing block.

    Args:
        with_grey: the picture of `with_end`.
        with_noise: the picture of `with_noise`.
        block: the height of a row of blocks, pixels.
    """
    differs = np.asarray(with_grey) != np.asarray(with_noise)
    if differs.ndim == 3:
        differs = differs.any(axis=2)
    rows = differs.any(axis=1)
    if not rows.any():
        return 1.0
    height, width = (int(side) for side in differs.shape[:2])
    top = (int(rows.argmax()) + 1) // block * block  # smoothed colours reach one row into the blocks above
    columns = differs[top : top + block].any(axis=0)
    in_last_row = int(columns.argmax()) * min(block, height - top) if columns.any() else 0
    return min(1.0, (top * width + in_last_row) / (height * width))

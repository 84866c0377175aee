"""Photos that look alike: resized, recompressed, mirrored or slightly changed copies of one another.

The perceptual hash is the signs of a photo's lowest frequencies (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash
Functions), here of 16 x 16 of them: the usual 8 x 8 confuse aligned portraits of different people.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from serve_app.vision.images import RGB

FREQUENCIES = 16  # along each side
SAMPLES = 4 * FREQUENCIES  # pixels along each side that the hash is computed from
# Of 256. Of 200 research photos, half-size copies differed in at most 26 bits and JPEGs of quality 30 in at most 12. Of all pairs among
# 28,000 that differed in 16 to 35 bits, some sixty were inspected: each showed the same photo. From 44 bits on, some show different ones.
MOST_BITS = 32
_BLOCK = 512  # photos that are compared with as many others at a time
_FIRST = 2  # words of 64 bits that are compared of all pairs; most pairs differ too much in these already
# Mirrored, a photo has the same frequencies, with the other sign where the horizontal one is odd; of the hash, that is every second bit.
_MIRROR = np.uint64(int.from_bytes(b"\x55" * 8))

_position = np.arange(SAMPLES)
_COSINES = np.cos(np.pi / SAMPLES * (_position + 0.5) * np.arange(FREQUENCIES)[:, None]).astype(np.float32)  # DCT-II


def perceptual_hash(photo: RGB) -> str:
    """64 hex digits of a photo of shape (H, W, 3), uint8."""
    grey = Image.fromarray(photo).convert("L").resize((SAMPLES, SAMPLES), Image.Resampling.BOX, reducing_gap=3.0)
    spectrum = _COSINES @ np.asarray(grey, dtype=np.float32) @ _COSINES.T
    return np.packbits(spectrum > np.median(spectrum)).tobytes().hex()


def near_pairs(hashes: Sequence[str], most_bits: int = MOST_BITS) -> Iterator[tuple[int, int]]:
    """Indices (lower, higher) of all pairs of which one, or its mirror image, differs from the other in at most that many bits.

    20,000 photos take seconds, and 100,000 minutes: there is a progress bar if stderr is a terminal.
    """
    words = np.array([np.frombuffer(bytes.fromhex(each), dtype=np.uint64) for each in hashes])
    starts = range(0, len(words), _BLOCK)
    blocks = [(start, other) for start in starts for other in starts if start <= other]
    for start, other in tqdm(blocks, desc="comparing photos", unit="block", disable=None):
        block, rest = words[start : start + _BLOCK], words[other : other + _BLOCK]
        near = _near(block, rest, most_bits) | _near(block, rest ^ _MIRROR, most_bits)
        for first, second in np.argwhere(near):
            if start + first < other + second:
                yield start + int(first), other + int(second)


def _near(block: NDArray[np.uint64], rest: NDArray[np.uint64], most_bits: int) -> NDArray[np.bool_]:
    """Which hashes (n, words) of the one differ from which (m, words) of the other in at most that many bits: (n, m)."""
    differing: NDArray[np.uint8] = np.zeros((len(block), len(rest)), dtype=np.uint8)
    for word in range(_FIRST):
        differing += np.bitwise_count(block[:, None, word] ^ rest[None, :, word])
    near = differing <= most_bits
    first, second = np.nonzero(near)
    near[first, second] = np.bitwise_count(block[first] ^ rest[second]).sum(axis=1) <= most_bits
    return near


def groups_of(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` photos the lowest index that pairs connect it with, directly or through others."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [root(index) for index in range(count)]

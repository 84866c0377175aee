"""A long load of good, bad and huge photos from a few clients: counts faults, and measures whether memory grows."""

import io
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.load import ClosedLoop, run_load
from benchmarks.photos import benchmark_photos
from benchmarks.research_archives import MissingPhotos, research_archive
from benchmarks.samples import REFUSALS, Sample
from benchmarks.servers import RunningServer, Server

SEED = 20260101
CLIENTS = 4
MEMORY_EVERY_S = 5.0
SETTLED = 1 / 3  # of the time, after which memory should not grow: until then further replicas start, and allocators fill up
LEAST_READINGS = 12  # a minute; fewer would be noise
GOOD_OF_20, BAD_OF_20 = 14, 5  # and one huge


@dataclass(frozen=True)
class MemoryReading:
    """PSS of all processes of the server, MB, at a time in seconds after the load began."""

    at: float
    megabytes: float


@dataclass(frozen=True)
class SoakResult:
    """The results.

    Attributes:
        outcomes: how often each HTTP status with its code, or failure without one, came.
        unexpected: those among them that must not come: a 5xx other than a refusal, or no answer.
    """

    seconds: float
    outcomes: Counter[str]
    unexpected: Counter[str]
    memory: Sequence[MemoryReading]

    def growth_mb_per_hour(self) -> float | None:
        """Slope of the memory after it has settled; None with too few readings."""
        return growth_mb_per_hour([reading for reading in self.memory if reading.at >= self.seconds * SETTLED])


def soak(server: Server, seconds: float, progress: Callable[[float, float], None]) -> SoakResult:
    """Loads a server for `seconds`; every few seconds, `progress` gets the elapsed seconds and the memory, MB."""
    bodies = mixed_bodies()
    readings: list[MemoryReading] = []
    with RunningServer(server) as running, ThreadPoolExecutor(1) as pool:
        running.wait_for_first_answer(benchmark_photos().photos[0], lambda answer: not answer.code.startswith("HTTP"))
        started = time.monotonic()
        load = pool.submit(run_load, ClosedLoop(CLIENTS), running.upload(), bodies, 0, seconds)
        while not load.done():
            readings.append(MemoryReading(time.monotonic() - started, running.memory_mb()))
            progress(readings[-1].at, readings[-1].megabytes)
            wait([load], timeout=MEMORY_EVERY_S)
        samples = load.result().samples
    return SoakResult(seconds, _count(samples), _count([sample for sample in samples if is_unexpected(sample)]), readings)


def is_unexpected(sample: Sample) -> bool:
    """Whether a healthy server would never answer so, whatever the input."""
    return sample.status == 0 or (sample.status >= 500 and sample.status not in REFUSALS)


def growth_mb_per_hour(readings: Sequence[MemoryReading]) -> float | None:
    """Slope of the least-squares line."""
    if len(readings) < LEAST_READINGS:
        return None
    slope, _ = np.polyfit([reading.at for reading in readings], [reading.megabytes for reading in readings], 1)
    return float(slope) * 3600


def mixed_bodies() -> list[bytes]:
    """160 bodies in a fixed random order."""
    random = np.random.default_rng(SEED)
    kinds = [(benchmark_photos().photos, GOOD_OF_20), (_bad_bodies(), BAD_OF_20), (_huge_photos(), 20 - GOOD_OF_20 - BAD_OF_20)]
    bodies = [body for choices, share in kinds for body in (choices[index % len(choices)] for index in range(share * 8))]
    return [bodies[index] for index in random.permutation(len(bodies))]


def _bad_bodies() -> list[bytes]:
    """malformed.tar; without it, a photo that ends early, has flipped bytes, or is none."""
    try:
        archive = research_archive("malformed")
    except MissingPhotos:
        photo = benchmark_photos().photos[0]
        return [photo[: len(photo) // 2], photo[:600] + bytes(255 - byte for byte in photo[600:900]) + photo[900:], b"no photo" * 100, b""]
    with tarfile.open(archive) as tar:
        files = sorted((member for member in tar if member.isfile() and not member.name.endswith(".csv")), key=lambda member: member.name)
        return [file.read() for member in files if (file := tar.extractfile(member))]


def _huge_photos() -> list[bytes]:
    """Just within the limits of pixels and bytes, and just beyond each."""
    noise = np.random.default_rng(SEED).integers(0, 256, (1750, 1850, 3), dtype=np.uint8)  # 9.7 MB of incompressible pixels
    return [
        _encoded(Image.new("RGB", (8000, 6200), "grey"), "JPEG"),
        _encoded(Image.fromarray(noise), "PNG"),
        _encoded(Image.new("RGB", (9000, 6200), "grey"), "JPEG"),
        _encoded(Image.fromarray(np.concatenate([noise, noise[:200]])), "PNG"),
    ]


def _encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, compress_level=1)
    return buffer.getvalue()


def _count(samples: Sequence[Sample]) -> Counter[str]:
    return Counter(f"{sample.status} {sample.outcome}" for sample in samples)

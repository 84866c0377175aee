"""How long a normal photo waits alone, and beside clients that post the worst files allowed, and how much memory those take."""

import io
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

from benchmarks.load import ClosedLoop, LoadRecord, OpenLoop, run_load
from benchmarks.samples import ANSWERED, Sample, percentile_ms
from benchmarks.servers import RunningServer, Server
from benchmarks.soak import is_unexpected
from serve_app.codes import MEANINGS
from serve_app.settings import Settings

MEMORY_EVERY_S = 2.0
LONGEST_WEBP = 16_383  # pixels of a side
HEADER_BYTES = 10_000_000  # of files that are nothing but headers
ANSWERS = {code for code, meaning in MEANINGS.items() if meaning.status == ANSWERED}  # while it starts, it is `overloaded`
BLOT = 8  # pixels
SEED = 20260101


@dataclass(frozen=True)
class Waiting:
    """How long the normal photo waited.

    Attributes:
        outcomes: how often each HTTP status with its code, or failure without one, came.
    """

    p50_ms: float | None
    p99_ms: float | None
    outcomes: Counter[str]

    @classmethod
    def of(cls, samples: Sequence[Sample], start: float) -> "Waiting":
        """From the requests of a load that were sent after its warm-up."""
        sent = [sample for sample in samples if sample.scheduled >= start]
        return cls(percentile_ms(sent, [ANSWERED], 50), percentile_ms(sent, [ANSWERED], 99), _count(sent))


@dataclass(frozen=True)
class WorstClients:
    """The results.

    Attributes:
        alone, beside: the normal photo without and with the other clients.
        outcomes: of the other clients, by the kind of file.
        unexpected: those of all clients that must not come, as in a soak.
        resting_mb, most_mb: PSS of all processes of the service before the load, and the most during it.
    """

    alone: Waiting
    beside: Waiting
    outcomes: Mapping[str, Counter[str]]
    unexpected: Counter[str]
    resting_mb: float
    most_mb: float

    @property
    def ratio(self) -> float | None:
        """The p99 beside the others, in units of the one alone."""
        return self.beside.p99_ms / self.alone.p99_ms if self.beside.p99_ms and self.alone.p99_ms else None


def measure(server: Server, clients: int, rate: float, seconds: float, warm_up: float, patient: bool) -> WorstClients:
    """Starts a server, and loads it for `seconds` with a normal photo alone, then as long beside `clients` with the worst files.

    Args:
        rate: normal photos per second, at random times.
        warm_up: seconds before each measurement.
        patient: refused clients wait as long as Retry-After says.
    """
    photo = normal_photo()
    files = worst_files(Settings()) | refused_files()
    with RunningServer(server) as running, ThreadPoolExecutor(2) as pool:
        running.wait_for_first_answer(photo, lambda answer: answer.code in ANSWERS)
        resting = running.memory_mb()

        def normal() -> Future[LoadRecord]:
            return pool.submit(run_load, OpenLoop(rate), running.upload(), [photo], warm_up, seconds)

        alone = normal()
        _watch(running, [alone])
        # For longer: the two clients do not start at the same moment.
        crowd = pool.submit(run_load, ClosedLoop(clients, patient), running.upload(), list(files.values()), 0, 2 * warm_up + seconds)
        beside = normal()
        most = _watch(running, [crowd, beside])
    records = [crowd.result(), alone.result(), beside.result()]
    worst, *normals = [record.samples for record in records]
    outcomes = {name: _count([sample for sample in worst if sample.photo == index]) for index, name in enumerate(files)}
    unexpected = _count([sample for record in records for sample in record.samples if is_unexpected(sample)])
    first, second = (Waiting.of(samples, warm_up) for samples in normals)
    return WorstClients(first, second, outcomes, unexpected, resting, most)


def normal_photo() -> bytes:
    """A small JPEG of a figure before a gradient."""
    y, x = np.mgrid[0:480, 0:640]
    photo = Image.fromarray(np.stack([x * 255 // 640, y * 255 // 480, 255 - x * 255 // 640], axis=-1).astype(np.uint8))
    pen = ImageDraw.Draw(photo)
    pen.rectangle((250, 200, 390, 480), fill=(40, 60, 120))
    pen.ellipse((270, 60, 370, 200), fill=(220, 180, 150))
    return _encoded(photo, "JPEG", quality=90)


def worst_files(settings: Settings) -> dict[str, bytes]:
    """The files that cost most of those within the limits, by kind. To encode those of the default limits takes half a minute."""
    pillow_heif.register_heif_opener()  # and saver
    side, whole = math.isqrt(settings.max_image_pixels), math.isqrt(settings.max_unreduced_pixels)
    height = min(math.isqrt(int(settings.max_unreduced_pixels / settings.max_image_aspect)), int(LONGEST_WEBP / settings.max_image_aspect))
    long = (int(height * settings.max_image_aspect), height)
    blots = _blots(side)
    padded = blots.crop((0, 0, side // 64 * 64, side // 64 * 64))  # to whole blocks, or the encoder declares more pixels
    jpeg = _encoded(blots, "JPEG")
    return {
        "JPEG": jpeg,
        "JPEG that lacks its end": jpeg[:-2],
        "progressive JPEG": _encoded(blots, "JPEG", progressive=True),
        "progressive JPEG in CMYK": _encoded(blots.convert("CMYK"), "JPEG", quality=20, progressive=True),
        "AVIF": _encoded(blots, "AVIF", speed=10),
        "HEIC": _encoded(padded, "HEIF", enc_params={"preset": "ultrafast"}),
        "PNG with transparency": _encoded(Image.new("RGBA", (whole, whole)), "PNG"),
        "16-bit PNG": _encoded(Image.new("I;16", (whole, whole)), "PNG"),
        "PNG of as many bytes as allowed": _noise(settings),
        "long lossless WebP": _encoded(Image.new("RGB", long), "WEBP", lossless=True, method=0),
        "long WebP with transparency": _encoded(Image.new("RGBA", long), "WEBP", method=0),
        "float TIFF": _encoded(Image.new("F", (whole, whole)), "TIFF", compression="tiff_lzw"),
        "fax TIFF": _encoded(Image.new("1", (whole, whole)), "TIFF", compression="group4"),
        "GIF": _encoded(Image.new("P", (whole, whole)), "GIF"),
    }


def refused_files() -> dict[str, bytes]:
    """Files beyond the limits that once held up all others: by their shape, or by headers without end."""
    segment, chunk = b"\xff\xef\0\2", struct.pack(">I4sI", 0, b"teXt", 0)
    png = _encoded(Image.new("L", (1, 1)), "PNG")
    gif = _encoded(Image.new("P", (1, 1)), "GIF")
    return {
        "long lossless WebP beyond the limits": _encoded(Image.new("RGB", (LONGEST_WEBP, 3_051)), "WEBP", lossless=True, method=0),
        "PNG of one column": _encoded(Image.new("L", (1, 50_000_000)), "PNG"),
        "PNG beyond the limits": _encoded(Image.new("RGBA", (7_071, 7_071)), "PNG"),
        "JPEG of fill bytes": b"\xff\xd8" + b"\xff" * HEADER_BYTES,
        "JPEG of segments": b"\xff\xd8" + segment * (HEADER_BYTES // len(segment)),
        "PNG of chunks": png[:33] + chunk * (HEADER_BYTES // len(chunk)),
        "GIF of sub-blocks": gif[:13] + b"!\xfe" + b"\1x" * (HEADER_BYTES // 2),
    }


def _blots(side: int) -> Image.Image:
    """Blots of all colours: about as many bytes per pixel as the default limits allow."""
    pixels = np.random.default_rng(SEED).integers(0, 256, (side // BLOT + 1, side // BLOT + 1, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)


def _noise(settings: Settings) -> bytes:
    """Pixels that cannot be compressed."""
    side = math.isqrt(min(settings.max_unreduced_pixels, settings.max_image_bytes * 97 // 300))
    pixels = np.random.default_rng(SEED).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return _encoded(Image.fromarray(pixels), "PNG", compress_level=1)


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _watch(running: RunningServer, loads: Sequence[Future[LoadRecord]]) -> float:
    """Waits for the end of loads; returns the most memory until then, MB."""
    most = 0.0
    while wait(loads, timeout=MEMORY_EVERY_S).not_done:
        most = max(most, running.memory_mb())
    return most


def _count(samples: Sequence[Sample]) -> Counter[str]:
    return Counter(f"{sample.status} {sample.outcome}" for sample in samples)

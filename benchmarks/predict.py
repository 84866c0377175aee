"""`predict` on a folder against the bare models on the same runtime: photos per second, as a ratio from one run.

The bare models are the pipeline in as many processes as cores, with a thread each, over photos that are in memory: no listing, no files,
no rows, and their start is not counted. `predict` is measured whole, as the command that people run: from the start of its process to
its end. What it takes for a few photos is its start.
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer

from benchmarks.bare import Runtime, try_ways
from benchmarks.checkpoints import Size, model_set
from benchmarks.photos import benchmark_photos
from serve_app.settings import cores
from tune_training.io.workers import Engine

log = logging.getLogger(__name__)

BATCH = 4  # the fastest for the bare loop on two cores
A_FEW = 32


@dataclass(frozen=True)
class PredictSpeed:
    """The measurements.

    Attributes:
        bare: photos per second of the bare models, before and after `predict`.
        whole_s: seconds that `predict` took for `photos`.
        start_s: seconds that it took for `A_FEW`.
    """

    photos: int
    engine: str
    processes: int
    bare: list[float]
    whole_s: float
    start_s: float

    @property
    def ratio(self) -> float:
        """Photos per second of `predict`, its start included, to those of the bare models."""
        return self.photos / self.whole_s / statistics.mean(self.bare)

    @property
    def ratio_without_start(self) -> float:
        """Likewise, of the photos after the first few."""
        return (self.photos - A_FEW) / (self.whole_s - self.start_s) / statistics.mean(self.bare)


def measure_predict(count: int, seconds: float, engine: Engine) -> PredictSpeed:
    """Measures the bare models, `predict`, and the bare models again."""
    models = model_set(Size.EMBEDDED, Path())
    photos = benchmark_photos().photos

    def bare() -> float:
        [speed] = try_ways(Runtime.AS_SERVED, models, photos, seconds, [BATCH], [(cores(), 1)])
        log.info("bare models: %.1f photos/s", speed.photos_per_s)
        return speed.photos_per_s

    def timed(number: int) -> float:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "photos"
            folder.mkdir()
            for index in range(number):
                (folder / f"{index:05d}.jpg").write_bytes(photos[index % len(photos)])
            answers = Path(scratch) / "answers.parquet"
            command = [sys.executable, "-m", "tune_training", "predict", folder, "--out", answers, "--engine", engine]
            command += ["--detector", models.detector, "--classifier", models.classifier]
            started = time.monotonic()
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
            took = time.monotonic() - started
            assert pq.read_metadata(answers).num_rows == number
        log.info("predict, %d photos: %.1f s", number, took)
        return took

    before, start_s, whole_s, after = bare(), timed(A_FEW), timed(count), bare()
    return PredictSpeed(count, engine, cores(), [before, after], whole_s, start_s)


def predict(
    photos: Annotated[int, typer.Option(help="In the folder.")] = 2000,
    seconds: Annotated[float, typer.Option(help="Of each measurement of the bare models.")] = 15,
    engine: Annotated[Engine, typer.Option(help="What runs the models.")] = Engine.LOCAL,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Measure `predict` on a folder against the bare models on the same runtime."""
    speed = measure_predict(photos, seconds, engine)
    typer.echo(
        f"{speed.photos} photos in {speed.whole_s:.1f} s: {speed.ratio:.3f} of the bare models;"
        f" without the start of {speed.start_s:.1f} s, {speed.ratio_without_start:.3f}"
    )
    if out:
        out.write_text(json.dumps(asdict(speed), indent=1) + "\n", encoding="utf-8")

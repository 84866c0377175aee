"""Measures decoding's peak memory in a separate process: `python -m tests.support.measure_decoding THREADS`."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from serve_app.settings import Settings
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode

STATUS = Path("/proc/self/status")
LIMITS = DecodeLimits(Settings.model_fields["image_formats"].default, Settings.model_fields["max_image_pixels"].default)


class Measured(NamedTuple):
    """The outcome for a file (a code, or the photo's shape), and the growth of peak memory in MB."""

    outcome: Any
    megabytes: float


def measure(data: bytes, threads: int = 1) -> Measured:
    """Decodes a file in several threads at once, with the default limits. Linux only."""
    command = [sys.executable, "-m", __name__, str(threads)]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[2], timeout=120)
    return Measured(*json.loads(done.stdout))


def _peak() -> float:
    # Not ru_maxrss: a child inherits the peak of the process that started it.
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1]) / 1024


def _outcome(data: bytes) -> Any:
    try:
        return decode(data, LIMITS).shape
    except ImageRefused as refused:
        return refused.code


def _main(threads: int) -> None:
    data = sys.stdin.buffer.read()
    before = _peak()
    with ThreadPoolExecutor(threads) as pool:
        outcomes = list(pool.map(_outcome, [data] * threads))
    print(json.dumps([outcomes[0], _peak() - before]))


if __name__ == "__main__":
    _main(int(sys.argv[1]))

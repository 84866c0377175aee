"""Photos are decoded in a process of their own before they are in this one: a decoder may crash, and this process may be a notebook.

`python -m tune_training.io.decode_first SOURCE` is that process. It imports no network and is there before the models are loaded.
"""

import contextlib
import subprocess
import sys
from collections.abc import Sequence

from serve_app.vision.decoding import ImageRefused, decode
from tune_training.io.batches import BatchReader
from tune_training.io.models import decode_limits

_BETWEEN = b"\0"  # is in no name


def survives_decoding(source: str, names: Sequence[str]) -> bool:
    """Whether a process can decode these photos below `source`, or refuse them, and lives on."""
    command = [sys.executable, "-m", __name__, source]
    sent = _BETWEEN.join(name.encode() for name in names)
    return subprocess.run(command, input=sent, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own module


def _main() -> None:
    names = sys.stdin.buffer.read().decode().split(_BETWEEN.decode())
    limits = decode_limits()
    for part in BatchReader(sys.argv[1])(names):
        for _, content in part:
            if isinstance(content, bytes):
                with contextlib.suppress(ImageRefused):
                    decode(content, limits)


if __name__ == "__main__":
    _main()

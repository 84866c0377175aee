"""BentoML: a worker for each core, and its adaptive batches. A batched call answers with a list, which here has one item."""

from pathlib import Path
from typing import Any

import bentoml

from benchmarks.peers.models import body, cores, load_models, timeout_s

MAX_BATCH_SIZE = 8
MAX_LATENCY_MS = round(timeout_s() * 1000)


@bentoml.service(workers=cores(), threads=1, traffic={"timeout": timeout_s()})
class Predictor:
    """Photos in, answers out."""

    def __init__(self) -> None:
        self.models = load_models(threads=1)

    # It is not installed where types are checked.
    @bentoml.api(  # type: ignore[untyped-decorator]
        route="/predict", batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=MAX_LATENCY_MS
    )
    def predict(self, file: list[Path]) -> list[dict[str, Any]]:
        """A batch."""
        return [body(outcome) for outcome in self.models([path.read_bytes() for path in file])]

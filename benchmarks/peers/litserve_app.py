"""LitServe: a worker for each core, and batches of what is queued."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import litserve
from fastapi import Request

from benchmarks.peers.models import body, cores, load_models, timeout_s
from serve_app.vision.pipeline import Outcome

MAX_BATCH_SIZE = 8
BATCH_TIMEOUT_S = 0.0  # with 50 ms it answered a fifth less


class Predictor(litserve.LitAPI):  # type: ignore[misc] # it is not installed where types are checked
    """Photos in, answers out."""

    def setup(self, device: str) -> None:
        """In each worker."""
        self.models = load_models(threads=1)

    def decode_request(self, request: Request) -> bytes:
        """The file of a form, which is what LitServe hands over when a request has one."""
        content: bytes = cast(Mapping[str, Any], request)["file"].file.read()
        return content

    def batch(self, inputs: Sequence[bytes]) -> Sequence[bytes]:
        """As they are."""
        return inputs

    def predict(self, images: Sequence[bytes]) -> list[Outcome]:
        """A batch."""
        return self.models(images)

    def unbatch(self, output: list[Outcome]) -> list[Outcome]:
        """As they are."""
        return output

    def encode_response(self, output: Outcome) -> dict[str, Any]:
        """One answer."""
        return body(output)


if __name__ == "__main__":
    api = Predictor(max_batch_size=MAX_BATCH_SIZE, batch_timeout=BATCH_TIMEOUT_S)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=cores(), timeout=timeout_s())
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")

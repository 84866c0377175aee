"""Other ways to serve the same two models, in an environment of their own (`make bench PEERS=1`), because their locks and ours conflict.

Each runs the eager loop of `bare_loop` on the bytes of a form, as the bare loop does, and answers with the original's fields. FastAPI is
one process with all cores as torch threads, as the original was. The other two have a worker with one thread for each core, and batch:
LitServe with the best of the sizes and waits that were tried (4 and 8; 0 and 50 ms), BentoML as it adapts itself.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.checkpoints import ModelSet
from benchmarks.servers import ROOT, Server
from serve_app.settings import Settings

PYTHON = ROOT / ".venv-peers" / "bin" / "python"

# The required module, and the command of the server.
PEERS = {
    "FastAPI, serial": ("fastapi", ["-m", "benchmarks.peers.fastapi_serial", "{port}"]),
    "LitServe": ("litserve", ["-m", "benchmarks.peers.litserve_app", "{port}"]),
    "BentoML": (
        "bentoml",
        ["-m", "bentoml", "serve", "benchmarks.peers.bentoml_service:Predictor", "--host", "127.0.0.1", "--port", "{port}"],
    ),
}


class MissingPeer(Exception):
    """It is not installed."""


def peers(models: ModelSet, cores: int, python: Path = PYTHON) -> tuple[list[Server], list[str]]:
    """The installed peers with these models, and why the others are not measured."""
    servers, reasons = [], []
    for name in PEERS:
        try:
            servers.append(peer(name, models, cores, python))
        except MissingPeer as missing:
            reasons.append(f"{name}: {missing}")
    return servers, reasons


def peer(name: str, models: ModelSet, cores: int, python: Path = PYTHON) -> Server:
    """One peer.

    Raises:
        MissingPeer: it cannot be imported there.
    """
    module, arguments = PEERS[name]
    _check(python, module)
    environment = {
        "PYTHONPATH": str(ROOT),
        "PEER_DETECTOR": str(models.detector.resolve()),
        "PEER_CLASSIFIER": str(models.classifier.resolve()),
        "PEER_CORES": str(cores),
        "PEER_TIMEOUT_S": models.settings.get("REQUEST_DEADLINE_S") or str(Settings(_env_file=None).request_deadline_s),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    return Server(name, [str(python), *arguments], environment)


def _check(python: Path, module: str) -> None:
    if not python.exists():
        raise MissingPeer(f"there is no {python.relative_to(ROOT)}; `make bench PEERS=1` makes it")
    command: Sequence[str] = [str(python), "-c", f"import {module}, transformers"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise MissingPeer(found.stderr.strip().splitlines()[-1])

"""Other ways to serve the same two models, in an environment of their own (`make bench PEERS=1`), because their locks and ours conflict.

Each runs a bare loop on the bytes of a form and answers with the original's fields. FastAPI is one process with all cores as torch
threads, as the original was. The other two have a worker with one thread for each core, and batch: LitServe with the best of the sizes
and waits that were tried (4 and 8; 0 and 50 ms), BentoML as it adapts itself. They are measured as they come, with the eager loop, and on
the service's own runtime: then it is the servers that are compared, and not the runtimes.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bare import Runtime
from benchmarks.checkpoints import ModelSet
from benchmarks.servers import ROOT, Server
from serve_app.settings import Settings

PYTHON = ROOT / ".venv-peers" / "bin" / "python"

_LITSERVE = ("litserve", ["-m", "benchmarks.peers.litserve_app", "{port}"])
_BENTOML = ("bentoml", ["-m", "bentoml", "serve", "benchmarks.peers.bentoml_service:Predictor", "--host", "127.0.0.1", "--port", "{port}"])
# The required module, the command of the server, and the runtime of the models.
PEERS = {
    "FastAPI, serial": ("fastapi", ["-m", "benchmarks.peers.fastapi_serial", "{port}"], Runtime.EAGER),
    "LitServe": (*_LITSERVE, Runtime.EAGER),
    "BentoML": (*_BENTOML, Runtime.EAGER),
    "LitServe, our runtime": (*_LITSERVE, Runtime.AS_SERVED),
    "BentoML, our runtime": (*_BENTOML, Runtime.AS_SERVED),
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
    module, arguments, runtime = PEERS[name]
    _check(python, module)
    settings = Settings(_env_file=None)
    environment = {
        "PYTHONPATH": str(ROOT),
        "PEER_DETECTOR": str(models.detector.resolve()),
        "PEER_CLASSIFIER": str(models.classifier.resolve()),
        "PEER_RUNTIME": runtime,
        "PEER_CORES": str(cores),
        "PEER_TIMEOUT_S": models.settings.get("REQUEST_DEADLINE_S") or str(settings.request_deadline_s),
        "MODEL_CACHE_DIR": str(settings.model_cache_dir.expanduser()),  # not in the home folder that it gets
        "BENTOML_DO_NOT_TRACK": "True",
    }
    return Server(name, [str(python), *arguments], environment, runtime)


def _check(python: Path, module: str) -> None:
    if not python.exists():
        raise MissingPeer(f"there is no {python.relative_to(ROOT)}; `make bench PEERS=1` makes it")
    command: Sequence[str] = [str(python), "-c", f"import {module}, transformers"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise MissingPeer(found.stderr.strip().splitlines()[-1])

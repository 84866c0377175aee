"""MLflow's own server, with a database of its own; mlflow-skinny has all of it but Flask, which is there for moto."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

# `mlflow server` would start several processes, each of which imports MLflow.
_PROGRAM = """
from mlflow.server import app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Yields the server's address, for MLFLOW_TRACKING_URI."""
    places = {"_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db", "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder)}
    program = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(program, env=os.environ | places, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            address = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            with urlopen(f"{address}/api/2.0/mlflow/experiments/search?max_results=1", timeout=120):
                pass  # it has made its database, which takes longer than the search waits for an answer
            yield address
        finally:
            process.kill()

"""The notebook runs top to bottom, as for a newcomer: each cell in order, in a separate process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from tests.support.s3 import S3Server

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "tune_training" / "walkthrough.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_it_is_committed_without_outputs() -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in CELLS if cell["cell_type"] == "code")


@pytest.mark.timeout(280)
def test_it_runs_from_the_first_cell_to_the_last(cluster: S3Server, tmp_path: Path) -> None:
    """It has the package's cluster, which spares it the start of one."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MODEL_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    environment |= {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    environment.pop("GENDER_DATA_DIR", None)  # drawn pictures, which all can run
    # Like a notebook's kernel: one namespace without a file, so no process that a cell starts can import it.
    command = [sys.executable, "-c", "import json, sys\nfor cell in json.load(sys.stdin): exec(cell, globals())"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, input=json.dumps(CODE), capture_output=True, text=True, timeout=270, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    (work,) = tmp_path.glob("walkthrough-*")
    assert "not_an_image" in (work / "data" / "rejects.csv").read_text()
    assert "test: " in ended.stdout
    assert {"report.html", "errors.html", "metrics.json"} <= {path.name for path in (work / "report").iterdir()}
    assert "broken.jpg" in ended.stdout or "1.jpg ok" in ended.stdout
    (published,) = (work / "published" / "walkthrough").glob("*/manifest.json")
    assert f"model_uri: {published.parent}/" in ended.stdout

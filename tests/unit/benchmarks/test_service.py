"""How the service is started, and which of its metrics are read."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from benchmarks.checkpoints import ModelSet
from benchmarks.servers import NoMetrics
from benchmarks.service import count_batches, service

METRICS = """# HELP ray_gender_batch_size Photos in a batch.
ray_gender_batch_size_count{Component="replica",model="detector",replica="a"} 7.0
ray_gender_batch_size_count{Component="replica",model="detector",replica="b"} 5.0
ray_gender_batch_size_count{Component="replica",model="classifier",replica="c"} 4.0
ray_gender_batch_size_sum{Component="replica",model="detector",replica="a"} 3.5
ray_gender_batch_seconds_count{Component="replica",model="detector",replica="a"} 99.0
"""


@pytest.fixture
def exporter() -> Iterator[str]:
    """The address that Prometheus would scrape."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def process(*arguments: str) -> psutil.Process:
    return cast(psutil.Process, SimpleNamespace(cmdline=lambda: list(arguments)))


def test_batches_of_all_replicas_are_counted(exporter: str, tmp_path: Path) -> None:
    (tmp_path / "prom_metrics_service_discovery.json").write_text(json.dumps([{"targets": [exporter]}]))
    assert count_batches([process("python"), process("raylet", f"--session-dir={tmp_path}")]) == {"detector": 12, "classifier": 4}


@pytest.mark.parametrize("arguments", [[], ["raylet", "--session-dir=/no/such/folder"]])
def test_before_ray_says_where_they_are_there_are_no_metrics(arguments: list[str]) -> None:
    with pytest.raises(NoMetrics):
        count_batches([process(*arguments)])


def test_settings_of_the_run_win_over_those_of_the_models() -> None:
    models = ModelSet("a pair", Path("d"), Path("c"), {"MAX_PHOTOS_IN_FLIGHT": "24", "REQUEST_DEADLINE_S": "50"})
    server = service(models, {"REQUEST_DEADLINE_S": "10"})
    assert server.command == [sys.executable, "-m", "serve_app"]
    assert server.environment.items() >= {"DETECTOR_URI": "d", "MAX_PHOTOS_IN_FLIGHT": "24", "REQUEST_DEADLINE_S": "10"}.items()

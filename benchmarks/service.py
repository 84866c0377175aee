"""The service as `make serve` runs it, as a server to be measured."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil
import yaml

from benchmarks.bare import Runtime
from benchmarks.checkpoints import ModelSet
from benchmarks.servers import ROOT, Family, NoMetrics, Server
from serve_app.app import AppArgs
from serve_app.settings import Settings

NAME = "gender-presentation"
REPORTS_EVERY_S = 12.0  # Ray's replicas report every 10 seconds

# Not the histogram's sum: Ray sums the midpoints of the buckets, so a batch of one photo counts as half.
_METRIC = re.compile(r'^ray_gender_batch_size_count\{[^}]*\bmodel="(\w+)"[^}]*\} (\S+)', re.MULTILINE)


def service(models: ModelSet, settings: Mapping[str, str] | None = None) -> Server:
    """The service with these models; `settings` override those of the model set."""
    environment = {
        "RAY_AUTH_MODE": "",  # token authentication, as users have it
        "RAY_ADDRESS": "",
        "API_HOST": "127.0.0.1",
        "API_PORT": "{port}",
        "DETECTOR_URI": str(models.detector),
        "CLASSIFIER_URI": str(models.classifier),
    }
    environment |= dict(models.settings) | dict(settings or {})
    return Server(NAME, [sys.executable, "-m", "serve_app"], environment, Runtime.AS_SERVED, count_batches, REPORTS_EVERY_S)


def prepare(server: Server) -> float:
    """Exports the models into its cache, as `make setup` does before the first start; returns the seconds that it took.

    Raises:
        CalledProcessError: a model cannot be prepared.
    """
    environment = server.environment_on(Settings.model_fields["api_port"].default, os.environ["HOME"])  # unused: it does not listen
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "serve_app.commands.prepare_models"], cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
    return time.monotonic() - started


def threads() -> int:
    """Threads of the detector in each replica, as configured."""
    config = yaml.safe_load((ROOT / Settings().effective_serve_config).read_text())
    return AppArgs(**config["applications"][0]["args"]).detector.threads


def count_batches(family: Family) -> dict[str, int]:
    """How many batches the replicas have reported, by model.

    Raises:
        NoMetrics: Ray has not published the addresses of its metrics yet.
    """
    counts: Counter[str] = Counter()
    for model, count in _METRIC.findall(_metrics(_session_dir(family))):
        counts[model] += round(float(count))
    return dict(counts)


def _session_dir(family: Family) -> Path:
    for process in family:
        try:
            arguments = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        for argument in arguments:
            if argument.startswith("--session-dir="):
                return Path(argument.removeprefix("--session-dir="))
    raise NoMetrics


def _metrics(session_dir: Path) -> str:
    discovery = session_dir / "prom_metrics_service_discovery.json"
    if not discovery.exists():
        raise NoMetrics
    targets = [target for each in json.loads(discovery.read_text()) for target in each["targets"]]
    texts = []
    for target in targets:
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
            texts.append(answer.read().decode())
    return "\n".join(texts)

"""`make serve`: runs the Serve config on API_HOST and API_PORT, prints when it is ready, and stops without losing requests.

Ray Serve does the work. This adds host and port from the settings, Ray's token authentication, a message when the service is ready, a clean
stop (`serve run` alone ignores SIGTERM, and on Ctrl-C it ends its proxies with requests in flight), and the certainty that all of it ends.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from dotenv import load_dotenv

from serve_app.graph.haproxy import MAX_CONNECTIONS, max_connections, open_files
from serve_app.graph.ray_internals import has_haproxy
from serve_app.ray_address import VARIABLE, problem_with, ray_address
from serve_app.settings import SERVE_CONFIG, Settings, get_settings
from serve_app.supervisor import driver, watchdog
from serve_app.supervisor.cluster import Cluster
from serve_app.supervisor.environment import environment
from serve_app.supervisor.health import address_of, is_healthy
from serve_app.supervisor.output import say
from serve_app.supervisor.processes import PREFIX, EarlierRun, earlier_runs, end_run
from serve_app.supervisor.stop import POLL_S, Stop, stop_service
from serve_app.tracing import with_tracing

WATCH_S = 0.5  # between looks at the running service: it can run for months, and nobody waits for this one


def main(arguments: list[str] | None = None) -> int:
    """Runs the service until it ends or gets a signal; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serve_app", description="Runs the service. .env.example has its settings.")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the process that started this one has ended")
    options = parser.parse_args(arguments)
    load_dotenv(".env")  # for the replicas, and for boto3, which reads only the environment
    settings = get_settings()
    address = ray_address()
    # Of a cluster, the cores of this machine say nothing.
    config = Path(SERVE_CONFIG) if address and settings.serve_config is None else settings.effective_serve_config
    if not config.exists():
        return _refuse(f"There is no {config} here: run this in a checkout of the project")
    if problem := _problem(settings, address):
        return _refuse(problem)
    if address:
        say(_joining(address))
    # In /tmp: the paths of sockets are limited to 107 bytes, and those of HAProxy's are 75 longer than the folder's.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    try:
        return _run(config, settings, folder, address is not None, Stop(options.end_with_parent))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_address(config: dict[str, Any], host: str, port: int) -> dict[str, Any]:
    """The config with this host and port."""
    return config | {"http_options": config.get("http_options", {}) | {"host": host, "port": port}}


def _problem(settings: Settings, address: str | None) -> str | None:
    """What makes a start hopeless, after telling what only makes it worse."""
    if address:
        return problem_with(address)
    runs = earlier_runs()
    if _is_taken(settings.api_host, settings.api_port):
        owner = next((run for run in runs if run.listens_on(settings.api_port)), None)
        return _taken(settings.api_port, owner)
    for run in runs:
        if not run.supervisor:
            say(f"An earlier run has left {len(run.processes)} processes behind. This ends them: {run.ended_by}", problem=True)
    return None


def _run(config: Path, settings: Settings, folder: Path, joining: bool, stop: Stop) -> int:
    """Starts the service and keeps watch until its end; nothing of it is left then."""
    stop.listen()
    host, variables = settings.api_host, environment(settings, folder, joining)
    if has_haproxy(variables) and not joining:
        host = "127.0.0.1"  # HAProxy listens on API_HOST, and nobody else has to reach the replicas
        if (connections := max_connections(open_files())) < MAX_CONNECTIONS:
            say(f"The limit of open files (ulimit -Hn) is {open_files()}: there can be {connections} connections at a time", problem=True)
    bound = folder / config.name
    ours = with_tracing(yaml.safe_load(config.read_text()), settings)
    bound.write_text(yaml.safe_dump(with_address(ours, host, settings.api_port)))
    keeper = watchdog.start(folder)
    service = driver.start(bound, folder, variables)
    try:
        if _wait_until_ready(service, settings, stop):
            cluster = Cluster(folder, settings)
            say(_ready_message(settings, config, folder))
            while service.poll() is None and not stop.asked:
                if broken := cluster.broken():
                    return _refuse(f"{broken}, and the service cannot go on: stopping. `make serve` starts it again")
                time.sleep(WATCH_S)
        if stop.asked:
            stop_service(service, folder, stop)
            return 0
        return _refuse(f"The service has ended by itself, with status {service.returncode}. Its logs: {_logs()}")
    finally:
        end_run(folder)
        service.wait()
        watchdog.dismiss(keeper)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just released is free
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _wait_until_ready(service: subprocess.Popen[bytes], settings: Settings, stop: Stop) -> bool:
    """Polls /health. Returns whether it was healthy before the service ended or was asked to stop."""
    while service.poll() is None and not stop.asked:
        if is_healthy(settings):
            return True
        time.sleep(POLL_S)
    return False


def _refuse(problem: str) -> int:
    say(problem, problem=True)
    return 1


def _taken(port: int, owner: EarlierRun | None) -> str:
    if owner is None:
        return f"Port {port} is taken by another program. Choose another one: API_PORT=8001 make serve"
    return f"Port {port} is taken by an earlier run of the service. This ends it: {owner.ended_by}"


def _joining(address: str) -> str:
    return (
        f"Joining the Ray cluster at {VARIABLE}={address}. Settings of this shell and of .env do not reach its processes, but those with "
        "which it was started; only the config does, and, unless Serve runs there already, API_HOST and API_PORT."
    )


def _logs() -> Path:
    return Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray/session_latest/logs"


def _ready_message(settings: Settings, config: Path, folder: Path) -> str:
    address = address_of(settings)
    return f"""
Ready. Try it:   curl -F file=@photo.jpg {address}/predict
API:             {address}/docs
Config:          {config}
Ray dashboard:   {driver.dashboard(folder)} (starts when it is asked; its token: .venv/bin/ray get-auth-token)
Logs:            {_logs() / "serve"}
Stop:            Ctrl-C
"""


if __name__ == "__main__":
    sys.exit(main())

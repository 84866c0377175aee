"""Whether a run is still whole. Serve replaces its own parts; nobody replaces these."""

import time
from pathlib import Path

import psutil

from serve_app.settings import Settings
from serve_app.supervisor.health import listens
from serve_app.supervisor.processes import run_of

# Names of Ray's programs, and what each does.
VITAL = {
    "gcs_server": "Ray's control service (gcs_server)",
    "raylet": "Ray's node manager (raylet)",
}
LOOK_S = 5.0  # between looks at the port
PORT_GONE_S = 60.0  # Serve replaces a dead proxy in a few seconds, unless it cannot


class Cluster:
    """What a run cannot do without; where it has joined a cluster that others keep, only the port.

    Args:
        folder: the run's.
        settings: where requests come in; it does so now.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._vital = {process: VITAL[name] for process in run_of(folder) if (name := _name(process)) in VITAL}
        self._looked = self._listened = time.monotonic()

    def broken(self) -> str | None:
        """What is missing, for people; None while all is well."""
        for process, description in self._vital.items():
            if not _lives(process):
                return f"{description} has ended"
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            if listens(self._settings):
                self._listened = now
            elif now - self._listened >= PORT_GONE_S:
                return f"Nothing listens on port {self._settings.api_port} any more"
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""

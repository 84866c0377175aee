"""What a process of the service is, from its command line: names for the tables of memory and CPU time."""

from collections.abc import Sequence
from pathlib import Path

# What a process is, by what its command line has; the first that fits.
ROLES = {
    "ServeReplica:gender:": "replica",
    "ServeController": "Serve: controller",
    "ProxyActor": "Serve: proxy",
    "HAProxyManager": "Serve: HAProxy's manager",
    "ray::IDLE": "Ray: worker without work",
    "haproxy": "HAProxy",
    "autoscaler/_private/monitor": "Ray: autoscaler monitor",
    "DashboardAgent": "Ray: dashboard agent",
    "RuntimeEnvAgent": "Ray: runtime environment agent",
    "forkserver": "Ray: fork server of the dashboard",
    "resource_tracker": "Ray: resource tracker of the dashboard",
    "gcs_server": "Ray: gcs_server",
    "raylet/raylet": "Ray: raylet",
    "log_monitor": "Ray: log monitor",
    "runtime_env/agent": "Ray: runtime environment agent",
    "dashboard/agent": "Ray: dashboard agent",
    "ray-dashboard-": "Ray: dashboard module",
    "dashboard/dashboard": "Ray: dashboard",
    "supervisor.driver": "make serve: driver",
    "supervisor.watchdog": "make serve: watchdog",
    "serve_app": "make serve: supervisor",
}


def role(command: Sequence[str]) -> str:
    """What a process of the service is, from its command line."""
    line = " ".join(command)
    for part, name in ROLES.items():
        if part in line:
            return line.split(part)[1].split()[0] + " (replica)" if name == "replica" else name
    return Path(command[0]).name if command else "?"

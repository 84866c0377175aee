"""The environment variables of Ray's processes in `make serve`; what the user has set wins."""

import os
import sys
from pathlib import Path

from serve_app.graph.ray_internals import EVERYWHERE, ONLY_HERE, haproxy_of, on_this_machine
from serve_app.settings import Settings
from serve_app.supervisor.processes import KEEPS_MARK, MARK

ROOT = Path(__file__).parents[2]  # of the sources
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def environment(settings: Settings, folder: Path, joining: bool) -> dict[str, str]:
    """All variables for the driver, and by inheritance for the cluster that it starts.

    Args:
        settings: where requests come in.
        folder: the run's own.
        joining: a cluster that already runs: its processes have their own environment.
    """
    defaults = {"RAY_AUTH_MODE": "token"}  # the dashboard can run code: without the token nobody may use it
    defaults |= EVERYWHERE if joining else on_this_machine() | haproxy_of(folder, settings.api_host) | ONLY_HERE
    ours = {
        MARK: str(folder),
        # HAProxy's program asks for `python3`, and is to get the one that has the service's packages.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        # Ray's workers run our hook (see `ray_internals`) before they hear of the driver's path.
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    return defaults | os.environ | KEEPS_MARK | without_proxies() | ours


def without_proxies() -> dict[str, str]:
    """Variables that keep calls within this machine away from `http_proxy`, which gRPC would use for them."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    value = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    return {"no_proxy": value, "NO_PROXY": value}

"""The variable RAY_ADDRESS, looked at before Ray does: Ray would wait for minutes for a cluster that is gone."""

import os
import socket
from urllib.parse import urlsplit

VARIABLE = "RAY_ADDRESS"
CONNECT_S = 3.0

ADVICE = f"Unset {VARIABLE} to start Ray here, or name a cluster that runs, as HOST:PORT"


def ray_address() -> str | None:
    """The cluster that RAY_ADDRESS names; None when Ray is to be started here."""
    address = os.environ.get(VARIABLE, "")
    return None if address in ("", "local") else address


def problem_with(address: str) -> str | None:
    """Why Ray cannot join the cluster at this address, for people; None if it can be reached."""
    if address == "auto":
        return None  # Ray looks on this machine, which takes no time
    if address.startswith(("http://", "https://")):
        return f"{VARIABLE}={address} is a dashboard's address, which only `ray job` takes. {ADVICE}"
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        return f"{VARIABLE}={address} is no HOST:PORT. {ADVICE}"
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        return f"there is no Ray cluster at {VARIABLE}={address} ({error}). {ADVICE}"
    return None

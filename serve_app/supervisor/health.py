"""What `make serve` asks of the running service, at the address that people use."""

import json
import socket
import urllib.request

from serve_app.http.answers import HEALTHY
from serve_app.settings import Settings

TIMEOUT_S = 2

# An address of this machine is none for `http_proxy`.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def address_of(settings: Settings) -> str:
    """The service's URL, as one would type it on this machine."""
    host = settings.api_host
    if host in ("0.0.0.0", "127.0.0.1", "::"):
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.api_port}"


def is_healthy(settings: Settings) -> bool:
    """Whether /health says so."""
    try:
        with _direct.open(f"{address_of(settings)}/health", timeout=TIMEOUT_S) as answer:
            return bool(json.load(answer).get("status") == HEALTHY)
    except (OSError, ValueError):
        return False


def listens(settings: Settings) -> bool:
    """Whether anything takes connections there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api_host, settings.api_host)
    try:
        socket.create_connection((host, settings.api_port), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True

"""What Ray's processes read from the environment and not from serve_config.yaml.

`make serve` sets it for the processes that it starts, and the pods on Kubernetes have it from a file that `make manifests` writes.
"""

import socket
import sys

EVERYWHERE = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.http.middleware:serve_proxy_middlewares",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # a dead proxy is replaced after three checks, which are 10 s apart by default
    "RAY_SERVE_LOG_TO_STDERR": "0",  # the log files have a line per photo, and the terminal need not
    "RAY_USAGE_STATS_ENABLED": "0",
}
HAPROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "1"}  # HAProxy instead of Serve's proxy in Python: benchmarks/README.md has the figures

# A pod has its ports to itself, and drains as Kubernetes does: it leaves the load balancer first (preStop), then Ray moves its replicas
# away. So it needs neither free ports nor the short draining of a machine where `draining` has done it.
IN_PODS = EVERYWHERE | HAPROXY


def on_this_machine() -> dict[str, str]:
    """For `make serve`, beside other programs and other services."""
    if sys.platform != "linux":  # for others there is no HAProxy
        return EVERYWHERE
    ports = {f"RAY_SERVE_{name}_PORT": str(free_port()) for name in ("HAPROXY_METRICS", "HAPROXY_STATS", "FALLBACK_PROXY_HTTP")}
    return EVERYWHERE | HAPROXY | ports | {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1"}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

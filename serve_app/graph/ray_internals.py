"""Every private name of Ray that we rely on. All were seen in Ray 2.60; look here first after an upgrade.

    handle option `_by_reference`       Chooses a call's transport. Without it every call goes one way: over gRPC, photos above 4 MB
                                        fail; by reference, a call costs twice as much.
    4 MB per gRPC message               Serve's RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH. If it were lower, large photos would fail.
    errors that mean a death            Unrecognised, the photos of a dead replica get `internal` instead of a retry.
    method `__serve_build_asgi_app__`   Builds the app on the replica. Without it the app has to be pickled, which FastAPI's cannot be.
    text `max_concurrent_batches`       Of a warning that does not apply to us. If the text changes, the log has the warning again.
    RAY_SERVE_* variables               Serve silently ignores a name that it no longer reads; what each does is said beside it.

tests/unit/serve_app/graph/test_ray_internals.py looks each one up in the Ray that is installed.
"""

import contextlib
import logging
import random
import socket
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

if TYPE_CHECKING:  # `make serve` wants the variables only, and Ray takes a second to import
    from ray.serve.handle import DeploymentHandle

    Handle = DeploymentHandle[Any]
else:
    Handle = Any

# --- calls ----------------------------------------------------------------------------------------------------------

GRPC_MAX_BYTES = 3_000_000  # of photos in one call: Serve's gRPC channels take messages of 4 MB


def over_grpc(handle: Handle) -> Handle:
    """The handle with calls over gRPC: half the cost of a call by reference, up to `GRPC_MAX_BYTES`."""
    return handle.options(_by_reference=False)


def by_reference(handle: Handle) -> Handle:
    """The handle with calls through Ray's object store: for arguments of any size."""
    return handle.options(_by_reference=True)


def is_death(error: Exception) -> bool:
    """Whether a call failed because its replica died."""
    import grpc
    from ray.exceptions import ObjectLostError, RayActorError

    if isinstance(error, grpc.aio.AioRpcError):  # Serve does not translate all of them
        return bool(error.code() is grpc.StatusCode.UNAVAILABLE)
    # By reference a dead replica is an ActorDiedError and its results are lost objects; over gRPC it is an ActorUnavailableError.
    return isinstance(error, (RayActorError, ObjectLostError))


# --- deployments ----------------------------------------------------------------------------------------------------


class AppOnReplica(ABC):
    """Base of a deployment for `serve.ingress()` without an app: it builds its app on the replica, and nothing of it is pickled."""

    @abstractmethod
    def build_app(self) -> ASGIApp:
        """The app that the replica serves; Serve asks once, after the constructor."""

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self.build_app()


def quieten_batch_warning() -> None:
    """Drops Serve's warning that our batches cannot fill up: they only lead to the worker's queue (see `batching`)."""
    logging.getLogger("ray.serve").addFilter(lambda record: "`max_concurrent_batches`" not in record.getMessage())


# Above the ports that Ray gives to its workers (10002 to 19999), and below those that Linux gives to whoever asks for any (from 32768):
# Ray's processes take dozens of both while they start.
PORTS = range(20_000, 32_768)

# --- environment variables of Ray's processes: `make serve` sets them, and for pods `make manifests` writes them to a file -----------

EVERYWHERE = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.http.middleware:serve_proxy_middlewares",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # a dead proxy is replaced after three checks, which are 10 s apart by default
    "RAY_SERVE_LOG_TO_STDERR": "0",  # the log files have a line per photo, and the terminal need not
    "RAY_USAGE_STATS_ENABLED": "0",
}
HAPROXY = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",  # HAProxy instead of Serve's proxy in Python: benchmarks/README.md has the figures
    "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "32768",  # the headers of a request: browsers send the cookies of all programs on localhost
}

# A pod has its ports to itself, and drains as Kubernetes does: it leaves the load balancer first (preStop), then Ray moves its
# replicas away. It needs neither free ports nor the short draining of a machine on which http/draining.py has already waited.
IN_PODS = EVERYWHERE | HAPROXY


def on_this_machine() -> dict[str, str]:
    """The variables for `make serve`, beside other programs and other services."""
    if sys.platform != "linux":  # HAProxy comes for Linux only
        return EVERYWHERE
    ports = {f"RAY_SERVE_{name}_PORT": str(free_port()) for name in ("HAPROXY_METRICS", "HAPROXY_STATS", "FALLBACK_PROXY_HTTP")}
    return EVERYWHERE | HAPROXY | ports | {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1"}


def free_port() -> int:
    """A port of this machine that is free, and stays so until it is used: no process gets one of `PORTS` without asking for it."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"every port from {PORTS.start} to {PORTS.stop - 1} is taken")

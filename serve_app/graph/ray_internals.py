"""Every private name of Ray that we rely on. All were seen in Ray 2.60; look here first after an upgrade.

    handle option `_by_reference`       Chooses a call's transport. Without it every call goes one way: over gRPC, photos above 4 MB
                                        fail; by reference, a call costs twice as much.
    4 MB per gRPC message               Serve's RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH. If it were lower, large photos would fail.
    errors that mean a death            Unrecognised, the photos of a dead replica get `internal` instead of a retry.
    method `__serve_build_asgi_app__`   Builds the app on the replica. Without it the app has to be pickled, which FastAPI's cannot be.
    `ray.experimental.internal_kv`      Values that all processes share. Without it replicas could run different revisions of a model.
    text `max_concurrent_batches`       Of a warning that does not apply to us. If the text changes, the log has the warning again.
    HAProxy's configuration             See `haproxy`, which changes it.
    hook for worker processes           Leaves out pandas, which Serve imports for data frames. Otherwise each process takes 33 MB more.
    `_start_fallback_proxy_if_needed`   Of Serve's controller. Without it a second proxy runs behind HAProxy, which nobody needs: 100 MB.
    constant CONTROL_LOOP_INTERVAL_S    Of Serve's controller: how often it looks at all it keeps.
    classes `Node` and `RayParams`      Start Ray without what nobody uses here, and its dashboard later than the service.
    `PrometheusServiceDiscoveryWriter`  Writes where Prometheus finds the metrics, which is the dashboard's work otherwise.
    ASGI messages of unknown type       Serve hands them from the app to our middleware (`http.body_window`). Otherwise streams stand still.
    header `x-request-timeout-seconds`  Of one request, instead of `request_timeout_s`. Otherwise streams end after a minute.
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER   Off, Ray's processes use the loopback address, as on macOS. Otherwise they listen on all addresses.
    RAY_SERVE_* and RAY_* variables     Ray silently ignores a name that it no longer reads; what each does is said beside it.

tests/unit/serve_app/graph/test_ray_internals.py looks each one up in the Ray that is installed.
"""

import contextlib
import functools
import importlib
import logging
import random
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from serve_app.graph import haproxy

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


# --- values that all processes of the cluster share -----------------------------------------------------------------


class ClusterStore:
    """A few small values in the cluster's own store (GCS); they end with the cluster.

    Args:
        folder: prefix of all keys.
    """

    def __init__(self, folder: str) -> None:
        self._folder = f"gender-presentation/{folder}/"

    def read(self, key: str) -> bytes | None:
        """The value that was written, if any."""
        from ray.experimental.internal_kv import _internal_kv_get

        value: bytes | None = _internal_kv_get(self._folder + key)
        return value

    def write_first(self, key: str, value: bytes) -> bytes:
        """Writes a value unless there is one; returns the one that is there then. Of several writers one wins."""
        from ray.experimental.internal_kv import _internal_kv_put

        _internal_kv_put(self._folder + key, value, overwrite=False)
        return self.read(key) or value

    def keep_only(self, key: str) -> None:
        """Deletes all other values."""
        from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_list

        for other in _internal_kv_list(self._folder):
            if other != (self._folder + key).encode():
                _internal_kv_del(other)


# --- what Ray starts, and what its processes import -----------------------------------------------------------------


def leave_out_pandas() -> None:
    """Serve tries to import pandas, to encode data frames, of which there are none here: 33 MB and half a second in each process."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # for an `import` it is not installed then


LOOKS_WHILE_STARTING_S = 0.1  # Serve's default
START_S = 30.0


def prepare_controller() -> None:
    """Serve calls this in its controller, before anything starts.

    The controller looks often while the service starts, and then as seldom as the environment says. And it starts no proxy in Python beside
    HAProxy: that is for applications whose ingress can be scaled to zero replicas, and until there was one, requests waited in it.
    """
    controller: Any = importlib.import_module("ray.serve._private.controller")
    proxy_state: Any = importlib.import_module("ray.serve._private.proxy_state")
    seldom = controller.CONTROL_LOOP_INTERVAL_S
    controller.CONTROL_LOOP_INTERVAL_S = min(LOOKS_WHILE_STARTING_S, seldom)
    timer = threading.Timer(START_S, setattr, [controller, "CONTROL_LOOP_INTERVAL_S", seldom])
    timer.daemon = True
    timer.start()
    proxy_state.ProxyStateManager._start_fallback_proxy_if_needed = lambda *_: None  # noqa: SLF001


def start_head() -> Callable[[], str]:
    """Starts Ray on this machine, without its dashboard, the monitor for adding machines, and what copies logs to the terminal.

    Returns:
        A function that starts the dashboard; it returns its HOST:PORT, or "" if it does not start.
    """
    import ray
    from ray._private.metrics_agent import PrometheusServiceDiscoveryWriter

    node: Any = importlib.import_module("ray._private.node")
    parameter: Any = importlib.import_module("ray._private.parameter")
    worker: Any = importlib.import_module("ray._private.worker")

    class Head(node.Node):  # type: ignore[misc]
        def start_api_server(self, **_: object) -> None:
            self._webui_url = ""

    whole, parameters = node.Node, parameter.RayParams
    node.Node, parameter.RayParams = Head, functools.partial(parameters, no_monitor=True, include_log_monitor=False)
    try:
        ray.init(address="local", namespace="serve")
    finally:
        node.Node, parameter.RayParams = whole, parameters
    head = worker._global_node  # noqa: SLF001 - `ray.init` has set it
    # The dashboard would write this file: where Prometheus finds the metrics.
    PrometheusServiceDiscoveryWriter(head.gcs_address, head.temp_dir, head.get_session_dir_path()).write()

    def start_dashboard() -> str:
        whole.start_api_server(head, include_dashboard=True, raise_on_failure=False)
        return str(head.webui_url or "")

    return start_dashboard


# Above the ports that Ray gives to its workers (10002 to 19999), and below those that Linux gives to whoever asks for any (from 32768):
# Ray's processes take dozens of both while they start.
PORTS = range(20_000, 32_768)

# --- environment variables of Ray's processes: `make serve` sets them, and for pods `make manifests` writes them to a file -----------

EVERYWHERE = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.http.middleware:serve_proxy_middlewares",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # a dead proxy is replaced after three checks, which are 10 s apart by default
    "RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH": f"{__name__}:{prepare_controller.__name__}",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1",  # of Serve's controller: ten looks a second, the default, take 6 % of a core
    # Replicas have one event loop for Ray's work, for the router and for ours, so that a call changes thread less often: nothing of ours
    # blocks the loop, because models, decoding and loading have threads of their own.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",  # each replica adds its counts up this often, and Ray exports them every ten seconds
    "REPORTER_UPDATE_INTERVAL_MS": "15000",  # looks of Ray's agent at all processes of its machine; Prometheus asks as often
    # glibc keeps what was freed, by default up to 32 MB at a time for each of 16 arenas: pixels of large photos go back to the system.
    "MALLOC_ARENA_MAX": "4",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
    "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR": f"{__name__}.{leave_out_pandas.__name__}",
    "RAY_worker_niceness": "0",  # Ray starts replicas at 15: beside any other program they would hardly run
    "RAY_SERVE_LOG_TO_STDERR": "0",  # the log files have a line per photo, and the terminal need not
    "RAY_USAGE_STATS_ENABLED": "0",
}
_HAPROXY = "RAY_SERVE_ENABLE_HA_PROXY"
_HAPROXYS_PROGRAM = "RAY_SERVE_HAPROXY_BINARY_PATH"
HAPROXY = {
    _HAPROXY: "1",  # HAProxy instead of Serve's proxy in Python: benchmarks/README.md has the figures
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",  # for a silent client; longer than the app's own deadlines, which answer first
    "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "32768",  # the headers of a request: browsers send the cookies of all programs on localhost
}
ONLY_HERE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the whole cluster is on this machine, and listens there only
    # Ray's own looks, ten times a second by default: at resources, for other machines to know, and at the memory of Python's garbage.
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    "RAY_raylet_check_gc_period_milliseconds": "1000",
    "RAY_event_stats": "0",  # times of Ray's own events
}

IMAGE_FOLDER = Path("/app")  # of the sources in the image (Dockerfile)

# A pod has its ports to itself, and drains as Kubernetes does: it leaves the load balancer first (preStop), then Ray moves its
# replicas away. It needs neither free ports nor the short draining of a machine on which http/draining.py has already waited.
# Ray starts HAProxy there, too, through our program; its addresses stay Ray's, and k8s/base/network-policies.yaml says who reaches them.
IN_PODS = EVERYWHERE | HAPROXY | {_HAPROXYS_PROGRAM: str(IMAGE_FOLDER / "serve_app" / "graph" / "haproxy.py")}


def on_this_machine() -> dict[str, str]:
    """The variables for `make serve`, beside other programs and other services."""
    if sys.platform != "linux":  # HAProxy comes for Linux only
        return EVERYWHERE
    ports = {f"RAY_SERVE_{name}_PORT": str(free_port()) for name in ("HAPROXY_METRICS", "HAPROXY_STATS")}
    return EVERYWHERE | HAPROXY | ports | {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1"}


def has_haproxy(variables: Mapping[str, str]) -> bool:
    """Whether these variables put HAProxy in front of the replicas."""
    return variables.get(_HAPROXY) == "1"


def haproxy_of(folder: Path, host: str) -> dict[str, str]:
    """The variables for HAProxy of one `make serve`; none where there is no HAProxy.

    Args:
        folder: for its files, among them the admin socket: no other user can read it, and it is removed at the end.
        host: where requests come in.
    """
    if sys.platform != "linux":
        return {}
    files = {"CONFIG_FILE_LOC": "haproxy.cfg", "SOCKET_PATH": "admin", "SERVER_STATE_FILE": "state", "METRICS_SOCKET_PATH": "metrics"}
    paths = {f"RAY_SERVE_HAPROXY_{name}": str(folder / file) for name, file in files.items()}
    return paths | {
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        _HAPROXYS_PROGRAM: haproxy.__file__,
        haproxy.HOST_VARIABLE: host,
    }


def free_port() -> int:
    """A port of this machine that is free, and stays so until it is used: no process gets one of `PORTS` without asking for it."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"every port from {PORTS.start} to {PORTS.stop - 1} is taken")

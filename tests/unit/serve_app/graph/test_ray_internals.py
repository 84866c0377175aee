"""The installed Ray still has the private names that we use. Each test says what breaks when one changes."""

import inspect
import logging
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc
import pytest
import ray.serve._private.constants as serve_constants
from ray._common.usage.usage_constants import USAGE_STATS_ENABLED_ENV_VAR
from ray._common.utils import import_attr, load_class
from ray._private import ray_constants, services, worker
from ray._private.metrics_agent import PrometheusServiceDiscoveryWriter
from ray._private.node import Node
from ray._private.parameter import RayParams
from ray.dashboard.modules.reporter import reporter_consts
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError
from ray.experimental import internal_kv
from ray.serve import batching
from ray.serve._private import controller, replica, replica_result
from ray.serve._private import haproxy as rays_haproxy
from ray.serve._private.proxy_state import ProxyStateManager
from ray.serve._private.replica import SERVE_BUILD_ASGI_APP_METHOD
from ray.serve.handle import DeploymentHandle

from serve_app.graph import haproxy, ray_internals
from serve_app.graph.ray_internals import (
    EVERYWHERE,
    GRPC_MAX_BYTES,
    IN_PODS,
    ONLY_HERE,
    AppOnReplica,
    free_port,
    haproxy_of,
    has_haproxy,
    is_death,
    leave_out_pandas,
    on_this_machine,
    prepare_controller,
    quieten_batch_warning,
)
from serve_app.http.ingress import Ingress
from serve_app.supervisor.processes import PREFIX


def test_a_calls_transport_can_be_chosen_or_large_photos_fail() -> None:
    assert "_by_reference" in inspect.signature(DeploymentHandle.options).parameters


def test_photos_over_grpc_fit_into_serves_messages_or_they_fail() -> None:
    assert GRPC_MAX_BYTES < serve_constants.RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH


@pytest.mark.parametrize(
    "error",
    [ActorDiedError(), ActorUnavailableError("gone", None), ObjectLostError("00", None, "")],
    ids=repr,
)
def test_deaths_of_a_replica_are_retried_or_its_photos_are_internal(error: Exception) -> None:
    assert is_death(error)


@pytest.mark.parametrize(("code", "death"), [(grpc.StatusCode.UNAVAILABLE, True), (grpc.StatusCode.RESOURCE_EXHAUSTED, False)])
def test_an_untranslated_grpc_error_is_a_death_only_when_the_replica_is_unavailable(code: grpc.StatusCode, death: bool) -> None:
    assert is_death(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())) is death
    assert "grpc.aio.AioRpcError" in inspect.getsource(replica_result)


def test_replicas_share_values_or_they_may_run_different_revisions_of_a_model() -> None:
    assert {"key", "value", "overwrite"} <= inspect.signature(internal_kv._internal_kv_put).parameters.keys()
    assert "key" in inspect.signature(internal_kv._internal_kv_get).parameters
    assert "prefix" in inspect.signature(internal_kv._internal_kv_list).parameters
    assert "key" in inspect.signature(internal_kv._internal_kv_del).parameters


def test_the_app_is_built_on_the_replica_or_the_ingress_cannot_be_deployed() -> None:
    assert SERVE_BUILD_ASGI_APP_METHOD in vars(AppOnReplica)
    assert issubclass(Ingress, AppOnReplica)
    assert "SERVE_BUILD_ASGI_APP_METHOD" in inspect.getsource(replica.UserCallableWrapper)


def test_serves_warning_about_batches_is_dropped_or_it_is_in_every_log(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("ray.serve")
    quieten_batch_warning()
    try:
        logger.warning("`max_batch_size` (64) * `max_concurrent_batches` (1024) is larger than `max_ongoing_requests` (5)")
        logger.warning("another one")
    finally:
        logger.filters.pop()
    assert [record.getMessage() for record in caplog.records] == ["another one"]
    assert "* `max_concurrent_batches` " in inspect.getsource(batching)


OF_HAPROXY = haproxy_of(Path("/run"), "127.0.0.1")


OURS = {haproxy.HOST_VARIABLE}
GLIBCS = {"MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
RAYS_PROGRAM = Path(services.RAYLET_EXECUTABLE)


@pytest.mark.parametrize("name", sorted((IN_PODS | on_this_machine() | OF_HAPROXY | ONLY_HERE).keys() - OURS - GLIBCS))
def test_ray_reads_the_variable_or_it_is_silently_ignored(name: str) -> None:
    known = (
        USAGE_STATS_ENABLED_ENV_VAR,
        ray_constants.RAY_WORKER_NICENESS,
        ray_constants.WORKER_PROCESS_SETUP_HOOK_ENV_VAR,
        ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR,
    )
    sources = (serve_constants.__file__, reporter_consts.__file__)
    assert name in known or any(f'"{name}"' in Path(source).read_text() for source in sources) or name.encode() in RAYS_PROGRAM.read_bytes()


def test_rays_processes_find_our_functions_or_none_of_its_workers_starts() -> None:
    assert load_class(EVERYWHERE[ray_constants.WORKER_PROCESS_SETUP_HOOK_ENV_VAR]) is leave_out_pandas
    assert import_attr(EVERYWHERE["RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH"]) is prepare_controller


WITHOUT_PANDAS = """
import sys
from serve_app.graph.ray_internals import leave_out_pandas
leave_out_pandas()
import serve_app.app, serve_app.http.ingress
print([name for name in ("pandas", "pyarrow", "torch", "transformers", "scipy", "boto3", "huggingface_hub") if sys.modules.get(name)])
"""


def test_a_replica_imports_nothing_large_that_it_does_not_use() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_PANDAS], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_controller_takes_our_changes_or_it_looks_too_often_and_starts_a_second_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "asyncio.sleep(CONTROL_LOOP_INTERVAL_S)" in inspect.getsource(controller)
    assert "_start_fallback_proxy_if_needed" in inspect.getsource(ProxyStateManager._start_proxies_if_needed)
    monkeypatch.setattr(ProxyStateManager, "_start_fallback_proxy_if_needed", ProxyStateManager._start_fallback_proxy_if_needed)
    monkeypatch.setattr(controller, "CONTROL_LOOP_INTERVAL_S", 1.0)
    monkeypatch.setattr(ray_internals, "START_S", 0)
    prepare_controller()
    ProxyStateManager._start_fallback_proxy_if_needed(None, "", "", "")  # type: ignore[arg-type]  # the original needs an object
    while vars(controller)["CONTROL_LOOP_INTERVAL_S"] != 1.0:
        pass


def test_ray_starts_through_the_classes_that_we_replace_or_with_what_nobody_uses() -> None:
    source = inspect.getsource(worker.init)
    assert "ray._private.parameter.RayParams(" in source
    assert "ray._private.node.Node(" in source
    assert {"no_monitor", "include_log_monitor"} <= inspect.signature(RayParams).parameters.keys()
    assert list(inspect.signature(PrometheusServiceDiscoveryWriter).parameters) == ["gcs_address", "temp_dir", "session_dir"]
    assert "self.start_raylet(" in inspect.getsource(Node)
    assert {"include_dashboard", "raise_on_failure"} <= inspect.signature(Node.start_api_server).parameters.keys()


def test_the_cluster_stays_on_this_machine_or_its_ports_are_open_to_others() -> None:
    assert ONLY_HERE[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] == "0"
    assert "ENABLE_RAY_CLUSTER:\n" in inspect.getsource(services.get_node_ip_address)


def test_ray_starts_our_program_in_haproxys_place_or_clients_get_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rays_haproxy, "RAY_SERVE_HAPROXY_BINARY_PATH", OF_HAPROXY["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert rays_haproxy.get_haproxy_binary() == haproxy.__file__


def test_paths_of_haproxys_sockets_fit_into_107_bytes_or_it_does_not_start() -> None:
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}12345678"
    node_id, taking_over = "0" * 56, ".4194304.tmp"  # Ray puts its files below the node's id; a new HAProxy renames its socket
    assert len(str(folder / node_id / Path(haproxy_of(folder, "")["RAY_SERVE_HAPROXY_SOCKET_PATH"]).name) + taking_over) <= 107


def test_no_other_file_has_these_names() -> None:
    names = ("_by_reference=", "__serve_build", "max_concurrent_batches`", "AioRpcError", '"RAY_SERVE_')
    sources = Path(ray_internals.__file__).parents[1].rglob("*.py")
    assert {path.name for path in sources if any(name in path.read_text() for name in names)} == {"haproxy.py", "ray_internals.py"}


# --- the environment of Ray's processes -----------------------------------------------------------------------------


def test_two_services_on_one_machine_have_ports_of_their_own() -> None:
    one, other = ({name: value for name, value in on_this_machine().items() if name.endswith("_PORT")} for _ in range(2))
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_a_free_port_is_none_that_a_starting_process_gets_by_chance() -> None:
    of_rays_workers, of_linux = range(10_002, 20_000), range(32_768, 61_000)  # the defaults of both
    ports = {free_port() for _ in range(100)}
    assert not ports & {*of_rays_workers, *of_linux}


def test_a_port_that_is_taken_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        monkeypatch.setattr(ray_internals, "PORTS", range(taken.getsockname()[1], taken.getsockname()[1] + 1))
        with pytest.raises(OSError, match="is taken"):
            free_port()


def test_pods_have_all_that_is_for_everywhere_and_the_usual_ports() -> None:
    assert EVERYWHERE.items() <= IN_PODS.items()
    assert not [name for name in IN_PODS if name.endswith("_PORT")]


def test_where_there_is_no_haproxy_it_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert on_this_machine() == EVERYWHERE
    assert haproxy_of(Path("/run"), "127.0.0.1") == {}
    assert not has_haproxy(on_this_machine())


@pytest.mark.skipif(sys.platform != "linux", reason="HAProxy comes for Linux only")
def test_whether_there_is_haproxy_is_for_the_variables_to_say() -> None:
    assert has_haproxy(on_this_machine())
    assert not has_haproxy(on_this_machine() | {"RAY_SERVE_ENABLE_HA_PROXY": "0"})

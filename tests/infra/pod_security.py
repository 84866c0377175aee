"""Pod Security Standards, level `restricted` of Kubernetes 1.35: why the API server would refuse a pod in such a namespace."""

from collections.abc import Iterator
from typing import Any

Pod = dict[str, Any]

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_KINDS = ("initContainers", "containers", "ephemeralContainers")


def faults(pod: Pod) -> list[str]:
    """Why a namespace of level `restricted` refuses the pod; empty if it admits it."""
    spec = pod["spec"]
    security = spec.get("securityContext") or {}
    found = [f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes") or []:
        found += [f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} - _VOLUMES]
    found += [f"sysctl {each['name']}" for each in security.get("sysctls") or [] if each["name"] not in _SYSCTLS]
    found += _options("pod", security)
    for container in (each for kind in _KINDS for each in spec.get(kind) or []):
        found += [f"{container['name']}: {fault}" for fault in _container(container, security)]
    return found


def _container(container: Pod, pod: Pod) -> Iterator[str]:
    own = container.get("securityContext") or {}
    added, dropped = (set((own.get("capabilities") or {}).get(kind) or []) for kind in ("add", "drop"))
    yield from _options("", own)
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if "ALL" not in dropped or added - {"NET_BIND_SERVICE"}:
        yield "capabilities are not all dropped"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runs as root"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "no seccomp profile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(each.get("hostPort") for each in container.get("ports") or []):
        yield "hostPort"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if any((container.get(probe) or {}).get(kind, {}).get("host") for kind in ("httpGet", "tcpSocket")):
            yield f"{probe} asks another host"
    hooks = (container.get("lifecycle") or {}).values()
    if any((hook.get(kind) or {}).get("host") for hook in hooks for kind in ("httpGet", "tcpSocket")):
        yield "a hook asks another host"


def _options(name: str, security: Pod) -> Iterator[str]:
    where = f"{name}: " if name else ""
    linux = security.get("seLinuxOptions") or {}
    if linux.get("type", "") not in _SELINUX or linux.get("user") or linux.get("role"):
        yield f"{where}seLinuxOptions"
    if (security.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield f"{where}seccomp is unconfined"
    if (security.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield f"{where}appArmorProfile"
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{where}hostProcess"

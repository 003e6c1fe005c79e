"""The controls of the Pod Security Standards, one function each; ``pod_security`` says which level has which, and when.

A function yields every field of a workload's pods that its control refuses.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field
from policy.manifests.pod_spec import LifecycleHandler, PodSecurityContext, Probe, SecurityContext, SELinuxOptions
from policy.manifests.security import by_field, listed, run_as_non_root, seccomp_profile
from policy.manifests.workloads import Container, Workload

NEVER = 1_000_000
"""A minor version that no Kubernetes reaches."""

DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
RESTRICTED_VOLUME_TYPES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
    "net.ipv4.tcp_slow_start_after_idle": 37,
    "net.ipv4.tcp_notsent_lowat": 37,
}
"""Each sysctl that the standard calls safe, with the minor version from which it does."""

_SELINUX_TYPES = {"": 0, "container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}
_PROFILE_TYPES = ("RuntimeDefault", "Localhost")
_APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"
_WINDOWS_EXEMPT = 25
_USER_NAMESPACE_EXEMPT = 35


_Owner = Workload | Container


class Breach(msgspec.Struct, frozen=True):
    """A refused field: where, what is wrong, and the minor version from which it is allowed again."""

    at: Field
    says: str
    until: int = NEVER


def host_process(workload: Workload) -> Iterator[Breach]:
    for owner, context in _contexts(workload):
        if context.windows_options is not None and context.windows_options.host_process:
            at = _at(owner, "windowsOptions", "hostProcess")
            yield Breach(at, f"{_who(owner)} runs as a process of its Windows node")


def host_namespaces(workload: Workload) -> Iterator[Breach]:
    pod = workload.pod
    for name, value in (("hostNetwork", pod.host_network), ("hostPID", pod.host_pid), ("hostIPC", pod.host_ipc)):
        if value:
            yield Breach(workload.pod_field(name), f"{name} is true")


def privileged(workload: Workload) -> Iterator[Breach]:
    for container in workload.containers:
        context = container.spec.security_context
        if context is not None and context.privileged:
            yield Breach(container.field("securityContext", "privileged"), f"{container} is privileged")


def capabilities_beyond_default(workload: Workload) -> Iterator[Breach]:
    return _added_capabilities(workload, DEFAULT_CAPABILITIES)


def capabilities_added(workload: Workload) -> Iterator[Breach]:
    return _added_capabilities(workload, frozenset({"NET_BIND_SERVICE"}), _windows_exemption(workload))


def capabilities_not_dropped(workload: Workload) -> Iterator[Breach]:
    until = _windows_exemption(workload)
    for container in workload.containers:
        context = container.spec.security_context
        if context is None or context.capabilities is None or "ALL" not in (context.capabilities.drop or ()):
            at = container.field("securityContext", "capabilities", "drop")
            yield Breach(at, f"{container} does not drop ALL capabilities", until)


def host_path_volumes(workload: Workload) -> Iterator[Breach]:
    for index, volume in enumerate(workload.pod.volumes or ()):
        if volume.host_path is not None:
            at = workload.pod_field("volumes", index, "hostPath")
            yield Breach(at, f"volume {volume.name} is {volume.host_path.path} of the node")


def volume_types(workload: Workload) -> Iterator[Breach]:
    for index, (volume, kind) in enumerate(zip(workload.pod.volumes or (), workload.volume_types, strict=True)):
        if kind not in RESTRICTED_VOLUME_TYPES:
            yield Breach(workload.pod_field("volumes", index, kind), f"volume {volume.name} has the type {kind}")


def host_ports(workload: Workload) -> Iterator[Breach]:
    for container in workload.containers:
        for index, port in enumerate(container.spec.ports or ()):
            if port.host_port:
                at = container.field("ports", index, "hostPort")
                yield Breach(at, f"{container} takes port {port.host_port} of the node")


def host_probes(workload: Workload) -> Iterator[Breach]:
    for container in workload.containers:
        spec = container.spec
        yield from _asked_host(container, spec.liveness_probe, "livenessProbe")
        yield from _asked_host(container, spec.readiness_probe, "readinessProbe")
        yield from _asked_host(container, spec.startup_probe, "startupProbe")
        if spec.lifecycle is not None:
            yield from _asked_host(container, spec.lifecycle.post_start, "lifecycle", "postStart")
            yield from _asked_host(container, spec.lifecycle.pre_stop, "lifecycle", "preStop")


def app_armor(workload: Workload) -> Iterator[Breach]:
    for owner, context in _contexts(workload):
        profile = context.app_armor_profile
        if profile is not None and profile.type not in _PROFILE_TYPES:
            kind = profile.type or "without a type"
            at = _at(owner, "appArmorProfile", "type")
            yield Breach(at, f"the AppArmor profile of {_who(owner)} is {kind}")


def app_armor_annotations(workload: Workload) -> Iterator[Breach]:
    for key, value in workload.pod_annotations.items():
        if not key.startswith(_APP_ARMOR_ANNOTATION) or value in ("", "runtime/default"):
            continue
        if not value.startswith("localhost/"):
            name = key.removeprefix(_APP_ARMOR_ANNOTATION)
            yield Breach(_annotation(workload, key), f"container {name} runs with the AppArmor profile {value}")


def se_linux_type(workload: Workload) -> Iterator[Breach]:
    for owner, options in _se_linux_options(workload):
        since = _SELINUX_TYPES.get(options.type or "", NEVER)
        if since:
            at = _at(owner, "seLinuxOptions", "type")
            yield Breach(at, f"{_who(owner)} has the SELinux type {options.type}", since)


def se_linux_user_and_role(workload: Workload) -> Iterator[Breach]:
    for owner, options in _se_linux_options(workload):
        for name, value in (("user", options.user), ("role", options.role)):
            if value:
                yield Breach(_at(owner, "seLinuxOptions", name), f"{_who(owner)} has the SELinux {name} {value}")


def proc_mount(workload: Workload) -> Iterator[Breach]:
    return _proc_mount(workload, NEVER)


def proc_mount_outside_user_namespace(workload: Workload) -> Iterator[Breach]:
    return _proc_mount(workload, _user_namespace_exemption(workload))


def seccomp_annotations(workload: Workload) -> Iterator[Breach]:
    if not workload.pod_annotations:
        return
    names = [_SECCOMP_CONTAINER_ANNOTATION + container.name for container in workload.containers]
    for key in (_SECCOMP_POD_ANNOTATION, *names):
        value = workload.pod_annotations.get(key, "runtime/default")
        if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/"):
            yield Breach(_annotation(workload, key), f"the annotation {key} is {value}")


def seccomp_wrong(workload: Workload) -> Iterator[Breach]:
    return _wrong_seccomp(workload, NEVER)


def seccomp_wrong_on_linux(workload: Workload) -> Iterator[Breach]:
    return _wrong_seccomp(workload, _windows_exemption(workload))


def seccomp_not_set(workload: Workload) -> Iterator[Breach]:
    until = _windows_exemption(workload)
    unset = (setting for setting in seccomp_profile(workload) if setting.value is None)
    for setting, containers in by_field(unset):
        yield Breach(setting.at["type"], f"no seccomp profile is set for {listed(containers)}", until)


def sysctls(workload: Workload) -> Iterator[Breach]:
    pod = workload.pod.security_context
    for index, sysctl in enumerate(pod.sysctls or () if pod is not None else ()):
        since = SAFE_SYSCTLS.get(sysctl.name, NEVER)
        if since:
            at = workload.pod_field("securityContext", "sysctls", index, "name")
            yield Breach(at, f"the pod sets the sysctl {sysctl.name}", since)


def privilege_escalation(workload: Workload) -> Iterator[Breach]:
    until = _windows_exemption(workload)
    for container in workload.containers:
        context = container.spec.security_context
        if context is None or context.allow_privilege_escalation is not False:
            at = container.field("securityContext", "allowPrivilegeEscalation")
            yield Breach(at, f"allowPrivilegeEscalation of {container} is not false", until)


def not_non_root(workload: Workload) -> Iterator[Breach]:
    until = _user_namespace_exemption(workload)
    pod = workload.pod.security_context
    if pod is not None and pod.run_as_non_root is False:
        yield Breach(_at(workload, "runAsNonRoot"), "runAsNonRoot of the pod is false", until)
    wrong = (setting for setting in run_as_non_root(workload) if not setting.value)
    for setting, containers in by_field(wrong):
        if setting.value is None:
            yield Breach(setting.at, f"runAsNonRoot is not set for {listed(containers)}", until)
        elif setting.pod is None:
            yield Breach(setting.at, f"runAsNonRoot of {setting.container} is false", until)


def root_user(workload: Workload) -> Iterator[Breach]:
    until = _user_namespace_exemption(workload)
    for owner, context in _contexts(workload):
        if context.run_as_user == 0:
            yield Breach(_at(owner, "runAsUser"), f"runAsUser of {_who(owner)} is 0", until)


def _windows_exemption(workload: Workload) -> int:
    """The minor version from which a control for Linux leaves this workload alone."""
    return _WINDOWS_EXEMPT if workload.is_windows else NEVER


def _user_namespace_exemption(workload: Workload) -> int:
    """The minor version from which a control leaves pods in a user namespace of their own alone (KEP-127)."""
    return _USER_NAMESPACE_EXEMPT if workload.pod.host_users is False else NEVER


def _added_capabilities(workload: Workload, allowed: frozenset[str], until: int = NEVER) -> Iterator[Breach]:
    for container in workload.containers:
        context = container.spec.security_context
        if context is None or context.capabilities is None:
            continue
        for index, capability in enumerate(context.capabilities.add or ()):
            if capability not in allowed:
                at = container.field("securityContext", "capabilities", "add", index)
                yield Breach(at, f"{container} adds the capability {capability}", until)


def _proc_mount(workload: Workload, until: int) -> Iterator[Breach]:
    for container in workload.containers:
        context = container.spec.security_context
        if context is not None and context.proc_mount not in (None, "Default"):
            at = container.field("securityContext", "procMount")
            yield Breach(at, f"procMount of {container} is {context.proc_mount}", until)


def _asked_host(container: Container, action: Probe | LifecycleHandler | None, *path: str) -> Iterator[Breach]:
    if action is None:
        return
    for name, asks in (("httpGet", action.http_get), ("tcpSocket", action.tcp_socket)):
        if asks is not None and asks.host:
            at = container.field(*path, name, "host")
            yield Breach(at, f"{path[-1]} of {container} asks the host {asks.host}")


def _wrong_seccomp(workload: Workload, until: int) -> Iterator[Breach]:
    for owner, context in _contexts(workload):
        profile = context.seccomp_profile
        if profile is not None and profile.type not in _PROFILE_TYPES:
            kind = profile.type or "without a type"
            at = _at(owner, "seccompProfile", "type")
            yield Breach(at, f"the seccomp profile of {_who(owner)} is {kind}", until)


def _se_linux_options(workload: Workload) -> Iterator[tuple[_Owner, SELinuxOptions]]:
    for owner, context in _contexts(workload):
        if context.se_linux_options is not None:
            yield owner, context.se_linux_options


def _contexts(workload: Workload) -> Iterator[tuple[_Owner, PodSecurityContext | SecurityContext]]:
    """The security contexts that are set, with whose they are: the pod's, then those of its containers."""
    if workload.pod.security_context is not None:
        yield workload, workload.pod.security_context
    for container in workload.containers:
        if container.spec.security_context is not None:
            yield container, container.spec.security_context


def _at(owner: _Owner, *path: str) -> Field:
    """A field of a security context. Built for a breach only: most pods have none."""
    field = owner.pod_field if isinstance(owner, Workload) else owner.field
    return field("securityContext", *path)


def _who(owner: _Owner) -> str:
    return "the pod" if isinstance(owner, Workload) else str(owner)


def _annotation(workload: Workload, key: str) -> Field:
    return workload.field(*workload.template_path, "metadata", "annotations", key)

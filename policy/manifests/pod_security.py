"""The Pod Security Standards: what a namespace that enforces a level refuses, control by control.

Sources: https://kubernetes.io/docs/concepts/security/pod-security-standards/ for controls, fields and allowed values;
the versioned checks of k8s.io/pod-security-admission (through v1.37) for what the page leaves open: from which policy
version a control holds, and how an empty value, Windows pods and pods in a user namespace are judged.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from policy.findings import Field
from policy.manifests import pod_security_controls as controls
from policy.manifests.pod_security_controls import NEVER, RESTRICTED_VOLUME_TYPES, SAFE_SYSCTLS, Breach
from policy.manifests.workloads import Workload

__all__ = [
    "ENFORCE",
    "ENFORCE_VERSION",
    "LATEST",
    "LEVELS",
    "RESTRICTED_VOLUME_TYPES",
    "SAFE_SYSCTLS",
    "Level",
    "Violation",
    "minor_version",
    "parse_level",
    "parse_version",
    "violations",
]

ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"
LATEST = NEVER - 1
"""The policy version ``latest``, as a minor version that is newer than every other."""

_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


class Level(enum.Enum):
    """What a namespace may enforce."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


LEVELS = tuple(Level)
"""The levels, from open to strict."""


class Violation(msgspec.Struct, frozen=True):
    """A field that a control refuses, from policy version v1.``since`` until (and without) v1.``until``."""

    control: str
    at: Field
    says: str
    allowed: str
    since: int
    until: int

    def holds_in(self, minor: int) -> bool:
        """Whether the policy version v1.``minor`` refuses the pod for it."""
        return self.since <= minor < self.until


class _Control(msgspec.Struct, frozen=True):
    name: str
    check: Callable[[Workload], Iterator[Breach]]
    allowed: str
    since: int = 0
    until: int = NEVER


_BOTH = (
    _Control("HostProcess", controls.host_process, "leave it out or set it to false"),
    _Control("Host Namespaces", controls.host_namespaces, "leave it out or set it to false"),
    _Control("Privileged Containers", controls.privileged, "leave it out or set it to false"),
    _Control("Host Ports", controls.host_ports, "leave it out"),
    _Control("Host Probes / Lifecycle Hooks", controls.host_probes, "leave it out", since=34),
    _Control("AppArmor", controls.app_armor, "leave it out, or use RuntimeDefault or Localhost"),
    _Control("AppArmor", controls.app_armor_annotations, "leave it out, or use runtime/default or localhost/…"),
    _Control("SELinux", controls.se_linux_type, "leave it out or use container_t, container_init_t or container_kvm_t"),
    _Control("SELinux", controls.se_linux_user_and_role, "leave it out"),
    _Control("Seccomp", controls.seccomp_annotations, "use runtime/default or localhost/…", until=19),
    _Control("Sysctls", controls.sysctls, "leave it out, or ask for a sysctl that the standard calls safe"),
)
_DEFAULT_CAPABILITIES = "leave it out, or add only capabilities of the default set"
_BASELINE = (
    *_BOTH,
    _Control("Capabilities", controls.capabilities_beyond_default, _DEFAULT_CAPABILITIES),
    _Control("HostPath Volumes", controls.host_path_volumes, "use a PersistentVolumeClaim or an emptyDir"),
    _Control("/proc Mount Type", controls.proc_mount_outside_user_namespace, "leave it out or set it to Default"),
    _Control("Seccomp", controls.seccomp_wrong, "leave it out, or use RuntimeDefault or Localhost", since=19),
)
_RESTRICTED = (
    *_BOTH,
    _Control("Capabilities", controls.capabilities_beyond_default, _DEFAULT_CAPABILITIES, until=22),
    _Control("Capabilities", controls.capabilities_not_dropped, "drop: [ALL]", since=22),
    _Control("Capabilities", controls.capabilities_added, "leave it out or add only NET_BIND_SERVICE", since=22),
    _Control("Volume Types", controls.volume_types, f"use one of {', '.join(controls.RESTRICTED_VOLUME_TYPES)}"),
    _Control("/proc Mount Type", controls.proc_mount, "leave it out or set it to Default"),
    _Control("Privilege Escalation", controls.privilege_escalation, "set it to false", since=8),
    _Control("Running as Non-root", controls.not_non_root, "set it to true"),
    _Control("Running as Non-root user", controls.root_user, "leave it out, or use another user than 0", since=23),
    _Control("Seccomp", controls.seccomp_wrong_on_linux, "use RuntimeDefault or Localhost", since=19),
    _Control("Seccomp", controls.seccomp_not_set, "set type: RuntimeDefault", since=19),
)
_CONTROLS: Mapping[Level, tuple[_Control, ...]] = {
    Level.PRIVILEGED: (),
    Level.BASELINE: _BASELINE,
    Level.RESTRICTED: _RESTRICTED,
}


def violations(workload: Workload, level: Level) -> Iterator[Violation]:
    """Every field of the workload's pods that some version of the level refuses; ask ``holds_in`` for one version."""
    for control in _CONTROLS[level]:
        for breach in control.check(workload):
            until = min(control.until, breach.until)
            if control.since < until:
                yield Violation(control.name, breach.at, breach.says, control.allowed, control.since, until)


def parse_level(label: str) -> Level | None:
    """The level that a label names, None where it names none; the API server refuses such a label."""
    try:
        return Level(label)
    except ValueError:
        return None


def parse_version(label: str) -> int | None:
    """The minor version that a label names (``latest`` is ``LATEST``), None where it names none."""
    if label == "latest":
        return LATEST
    match = _VERSION.fullmatch(label)
    return int(match[1]) if match else None


def minor_version(kubernetes: str) -> int:
    """34 of ``"1.34"``."""
    return int(kubernetes.partition(".")[2])

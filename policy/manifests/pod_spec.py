"""The pod specification, typed: the fields that checks look at (``core/v1`` PodSpec, API reference).

An absent field and an explicit null are both ``None``, as the API server reads them.
"""

# Not `from __future__ import annotations`: msgspec would have to evaluate the text of each type when it first decodes.

from typing import Any

import msgspec
from msgspec import field

IntOrString = int | str
Quantity = str | int | float
Raw = dict[str, Any]


class Struct(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all typed fields: camelCase names, unknown fields left alone, never changed after decoding."""


class ContainerPort(Struct, frozen=True):
    container_port: int = 0
    name: str | None = None
    protocol: str | None = None
    host_port: int | None = None
    host_ip: str | None = field(default=None, name="hostIP")

    @property
    def transport(self) -> str:
        """The protocol, TCP where none is given."""
        return self.protocol or "TCP"


class KeySelector(Struct, frozen=True):
    """Reference to one key of a ConfigMap or Secret."""

    name: str = ""
    key: str = ""
    optional: bool | None = None


class EnvVarSource(Struct, frozen=True):
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: Raw | None = None
    resource_field_ref: Raw | None = None
    file_key_ref: Raw | None = None


class EnvVar(Struct, frozen=True):
    name: str = ""
    value: str | None = None
    value_from: EnvVarSource | None = None


class ObjectReference(Struct, frozen=True):
    """Reference to a whole ConfigMap or Secret."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Struct, frozen=True):
    prefix: str | None = None
    config_map_ref: ObjectReference | None = None
    secret_ref: ObjectReference | None = None


class ResourceRequirements(Struct, frozen=True):
    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None


class VolumeMount(Struct, frozen=True):
    name: str = ""
    mount_path: str = ""
    sub_path: str | None = None
    read_only: bool | None = None
    mount_propagation: str | None = None


class VolumeDevice(Struct, frozen=True):
    name: str = ""
    device_path: str = ""


class HttpGetAction(Struct, frozen=True):
    port: IntOrString = 0
    path: str | None = None
    host: str | None = None
    scheme: str | None = None
    http_headers: tuple[Raw, ...] | None = None


class TcpSocketAction(Struct, frozen=True):
    port: IntOrString = 0
    host: str | None = None


class GrpcAction(Struct, frozen=True):
    port: int = 0
    service: str | None = None


class ExecAction(Struct, frozen=True):
    command: tuple[str, ...] | None = None


class SleepAction(Struct, frozen=True):
    seconds: int = 0


class Probe(Struct, frozen=True):
    """A probe; the timing properties give the API server's defaults where a field is absent."""

    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None
    termination_grace_period_seconds: int | None = None

    @property
    def action(self) -> HttpGetAction | TcpSocketAction | GrpcAction | ExecAction | None:
        """What the probe does, None where it does nothing."""
        return self.http_get or self.tcp_socket or self.grpc or self.exec

    @property
    def action_field(self) -> str | None:
        """The field that holds the action, e.g. ``httpGet``."""
        for name, value in (
            ("httpGet", self.http_get),
            ("tcpSocket", self.tcp_socket),
            ("grpc", self.grpc),
            ("exec", self.exec),
        ):
            if value is not None:
                return name
        return None

    @property
    def delay(self) -> int:
        return self.initial_delay_seconds or 0

    @property
    def period(self) -> int:
        return self.period_seconds or 10

    @property
    def timeout(self) -> int:
        return self.timeout_seconds or 1

    @property
    def failures(self) -> int:
        return self.failure_threshold or 3


class LifecycleHandler(Struct, frozen=True):
    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Struct, frozen=True):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class Capabilities(Struct, frozen=True):
    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


class Profile(Struct, frozen=True):
    """A seccomp or AppArmor profile."""

    type: str | None = None
    localhost_profile: str | None = None


class SELinuxOptions(Struct, frozen=True):
    user: str | None = None
    role: str | None = None
    type: str | None = None
    level: str | None = None


class WindowsOptions(Struct, frozen=True):
    host_process: bool | None = None
    run_as_user_name: str | None = None


class SecurityContext(Struct, frozen=True):
    """Of a container."""

    allow_privilege_escalation: bool | None = None
    app_armor_profile: Profile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: Profile | None = None
    windows_options: WindowsOptions | None = None


class Sysctl(Struct, frozen=True):
    name: str = ""
    value: str | None = None


class PodSecurityContext(Struct, frozen=True):
    """Of a pod: what its containers inherit, and what only a pod has."""

    app_armor_profile: Profile | None = None
    fs_group: int | None = None
    fs_group_change_policy: str | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: Profile | None = None
    supplemental_groups: tuple[int, ...] | None = None
    sysctls: tuple[Sysctl, ...] | None = None
    windows_options: WindowsOptions | None = None


class KeyToPath(Struct, frozen=True):
    key: str = ""
    path: str = ""


class ConfigMapVolume(Struct, frozen=True):
    name: str = ""
    items: tuple[KeyToPath, ...] | None = None
    optional: bool | None = None
    default_mode: int | None = None


class SecretVolume(Struct, frozen=True):
    secret_name: str = ""
    items: tuple[KeyToPath, ...] | None = None
    optional: bool | None = None
    default_mode: int | None = None


class EmptyDirVolume(Struct, frozen=True):
    medium: str | None = None
    size_limit: Quantity | None = None


class HostPathVolume(Struct, frozen=True):
    path: str = ""
    type: str | None = None


class ClaimVolume(Struct, frozen=True):
    claim_name: str = ""
    read_only: bool | None = None


class ProjectedSecret(Struct, frozen=True):
    name: str = ""
    items: tuple[KeyToPath, ...] | None = None
    optional: bool | None = None


class ProjectedSource(Struct, frozen=True):
    config_map: ProjectedSecret | None = None
    secret: ProjectedSecret | None = None
    service_account_token: Raw | None = None
    downward_api: Raw | None = field(default=None, name="downwardAPI")


class ProjectedVolume(Struct, frozen=True):
    sources: tuple[ProjectedSource, ...] | None = None
    default_mode: int | None = None


class ImageVolume(Struct, frozen=True):
    """The files of an OCI image, mounted read-only (KEP-4639)."""

    reference: str = ""
    pull_policy: str | None = None


class Volume(Struct, frozen=True):
    """A volume by the types that checks look into; ``Workload.volume_types`` names any other."""

    name: str = ""
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    host_path: HostPathVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    projected: ProjectedVolume | None = None
    ephemeral: Raw | None = None
    image: ImageVolume | None = None


class PodOS(Struct, frozen=True):
    name: str = ""


class ContainerSpec(Struct, frozen=True):
    name: str = ""
    image: str | None = None
    image_pull_policy: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str | None = None
    ports: tuple[ContainerPort, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    resources: ResourceRequirements | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    volume_devices: tuple[VolumeDevice, ...] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: SecurityContext | None = None
    restart_policy: str | None = None


class PodSpec(Struct, frozen=True):
    containers: tuple[ContainerSpec, ...] | None = None
    init_containers: tuple[ContainerSpec, ...] | None = None
    ephemeral_containers: tuple[ContainerSpec, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    security_context: PodSecurityContext | None = None
    service_account_name: str | None = None
    service_account: str | None = None
    automount_service_account_token: bool | None = None
    host_network: bool | None = None
    host_pid: bool | None = field(default=None, name="hostPID")
    host_ipc: bool | None = field(default=None, name="hostIPC")
    host_users: bool | None = None
    restart_policy: str | None = None
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    enable_service_links: bool | None = None
    priority_class_name: str | None = None
    affinity: Raw | None = None
    topology_spread_constraints: tuple[Raw, ...] | None = None
    resources: ResourceRequirements | None = None
    overhead: dict[str, Quantity] | None = None
    os: PodOS | None = None

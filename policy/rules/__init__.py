"""The catalogue: every rule there is, in one list. A rule is one module; a test proves that none is missing here."""

from __future__ import annotations

from policy.rules.autoscaling import (
    hpa_owns_replicas,
    hpa_range_sound,
    hpa_request_set,
    hpa_target_exists,
    hpa_unique,
)
from policy.rules.availability import (
    disruption_budget_drains,
    disruption_budget_set,
    job_bounded,
    replicas_enough,
    rollout_keeps_capacity,
    shutdown_graceful,
    single_writer_volume,
    spread_across_nodes,
    stateful_service_headless,
    stateful_storage_kept,
)
from policy.rules.configuration import exception_stale, schema_valid
from policy.rules.images import (
    image_pinned,
    image_registry_allowed,
    image_tag_readable,
    pull_policy_sound,
)
from policy.rules.isolation import default_deny
from policy.rules.kustomize import (
    environments_same_files,
    field_known,
    file_listed,
    key_unique,
    kustomization_current,
    no_remote_base,
    overlay_entry_effective,
    patch_adds_container,
    volume_claim_labels_stable,
    yaml_boolean_key,
)
from policy.rules.probes import (
    liveness_probe_set,
    probe_port_declared,
    probe_timing_sound,
    probes_differ,
    readiness_probe_set,
    startup_probe_set,
)
from policy.rules.resources import (
    empty_dir_bounded,
    ephemeral_storage_set,
    limit_range_admits,
    limit_request_ratio,
    limits_cover_requests,
    limits_set,
    quota_covers_namespace,
    quota_fits_peak,
    requests_set,
)
from policy.rules.rule import Rule
from policy.rules.secrets import no_secret_in_git, secret_has_producer
from policy.rules.security import (
    capabilities_added,
    capabilities_dropped,
    no_host_namespace,
    no_host_path,
    no_host_port,
    no_privilege_escalation,
    no_privileged_container,
    no_token_automount,
    no_unsafe_sysctl,
    pod_security_level,
    proc_mount_default,
    read_only_root,
    role_least_privilege,
    run_as_non_root,
    seccomp_set,
    service_account_own,
    user_id_high,
    volume_type_allowed,
)
from policy.rules.services import (
    hostname_resolves,
    ingress_backend_exists,
    ingress_host_unique,
    ingress_tls_set,
    service_selects_pods,
    service_target_port_exists,
    service_type_internal,
)

RULES: tuple[Rule, ...] = (
    # probes
    liveness_probe_set.RULE,
    probe_port_declared.RULE,
    probe_timing_sound.RULE,
    probes_differ.RULE,
    readiness_probe_set.RULE,
    startup_probe_set.RULE,
    # resources
    empty_dir_bounded.RULE,
    ephemeral_storage_set.RULE,
    limit_range_admits.RULE,
    limit_request_ratio.RULE,
    limits_cover_requests.RULE,
    limits_set.RULE,
    quota_covers_namespace.RULE,
    quota_fits_peak.RULE,
    requests_set.RULE,
    # security
    capabilities_added.RULE,
    capabilities_dropped.RULE,
    no_host_namespace.RULE,
    no_host_path.RULE,
    no_host_port.RULE,
    no_privilege_escalation.RULE,
    no_privileged_container.RULE,
    no_token_automount.RULE,
    no_unsafe_sysctl.RULE,
    pod_security_level.RULE,
    proc_mount_default.RULE,
    read_only_root.RULE,
    role_least_privilege.RULE,
    run_as_non_root.RULE,
    seccomp_set.RULE,
    service_account_own.RULE,
    user_id_high.RULE,
    volume_type_allowed.RULE,
    # secrets
    no_secret_in_git.RULE,
    secret_has_producer.RULE,
    # images
    image_pinned.RULE,
    image_registry_allowed.RULE,
    image_tag_readable.RULE,
    pull_policy_sound.RULE,
    # availability
    disruption_budget_drains.RULE,
    disruption_budget_set.RULE,
    job_bounded.RULE,
    replicas_enough.RULE,
    rollout_keeps_capacity.RULE,
    shutdown_graceful.RULE,
    single_writer_volume.RULE,
    spread_across_nodes.RULE,
    stateful_service_headless.RULE,
    stateful_storage_kept.RULE,
    # autoscaling
    hpa_owns_replicas.RULE,
    hpa_range_sound.RULE,
    hpa_request_set.RULE,
    hpa_target_exists.RULE,
    hpa_unique.RULE,
    # services
    hostname_resolves.RULE,
    ingress_backend_exists.RULE,
    ingress_host_unique.RULE,
    ingress_tls_set.RULE,
    service_selects_pods.RULE,
    service_target_port_exists.RULE,
    service_type_internal.RULE,
    # isolation
    default_deny.RULE,
    # configuration
    exception_stale.RULE,
    schema_valid.RULE,
    # kustomize
    environments_same_files.RULE,
    field_known.RULE,
    file_listed.RULE,
    key_unique.RULE,
    kustomization_current.RULE,
    no_remote_base.RULE,
    overlay_entry_effective.RULE,
    patch_adds_container.RULE,
    volume_claim_labels_stable.RULE,
    yaml_boolean_key.RULE,
)

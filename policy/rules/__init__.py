"""The catalogue: every rule there is, in one list. A rule is one module; a test proves that none is missing here."""

from __future__ import annotations

from policy.rules.configuration import exception_stale, schema_valid
from policy.rules.kustomize import file_listed, key_unique
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
    requests_set,
)
from policy.rules.rule import Rule

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
    requests_set.RULE,
    # configuration
    exception_stale.RULE,
    schema_valid.RULE,
    # kustomize
    file_listed.RULE,
    key_unique.RULE,
)

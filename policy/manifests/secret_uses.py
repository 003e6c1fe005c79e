"""The Secrets that pods ask for: in variables, as whole environments, and as volumes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field
from policy.manifests.pod_spec import KeyToPath
from policy.manifests.workloads import Container, Workload


class SecretUse(msgspec.Struct, frozen=True):
    """A Secret that a pod cannot start without, and one key of it, or all (``key`` is None)."""

    who: str
    name: str
    name_at: Field
    key: str | None
    key_at: Field


def secret_uses(workload: Workload) -> Iterator[SecretUse]:
    """Every use of a Secret, in the order of the manifest; optional ones are left out."""
    for container in workload.containers:
        yield from _of_container(container)
    for number, volume in enumerate(workload.pod.volumes or ()):
        who, at = f"volume {volume.name}", workload.pod_field("volumes", number)
        if volume.secret is not None and not volume.secret.optional:
            source = at["secret"]
            yield from _of_volume(who, volume.secret.secret_name, source["secretName"], volume.secret.items, source)
        sources = (volume.projected.sources if volume.projected is not None else None) or ()
        for index, projected in enumerate(sources):
            if projected.secret is not None and not projected.secret.optional:
                source = at["projected"]["sources"][index]["secret"]
                yield from _of_volume(who, projected.secret.name, source["name"], projected.secret.items, source)


def _of_container(container: Container) -> Iterator[SecretUse]:
    for index, variable in enumerate(container.spec.env or ()):
        reference = variable.value_from.secret_key_ref if variable.value_from is not None else None
        if reference is not None and not reference.optional:
            at = container.field("env", index, "valueFrom", "secretKeyRef")
            who = f"variable {variable.name} of {container}"
            yield SecretUse(who, reference.name, at["name"], reference.key, at["key"])
    for index, source in enumerate(container.spec.env_from or ()):
        if source.secret_ref is not None and not source.secret_ref.optional:
            at = container.field("envFrom", index, "secretRef")["name"]
            yield SecretUse(f"envFrom of {container}", source.secret_ref.name, at, None, at)


def _of_volume(
    who: str, name: str, name_at: Field, items: tuple[KeyToPath, ...] | None, source: Field
) -> Iterator[SecretUse]:
    if not items:
        yield SecretUse(who, name, name_at, None, name_at)
    for index, item in enumerate(items or ()):
        yield SecretUse(who, name, name_at, item.key, source["items"][index]["key"])

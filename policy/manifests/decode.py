"""Raw documents to resources and typed objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from policy.findings import FieldPath, ObjectRef
from policy.manifests import resources as kinds
from policy.manifests import secret_kinds
from policy.manifests.pod_spec import Struct
from policy.manifests.resources import Object, Resource
from policy.mistyped import in_words
from policy.patterns import Pattern

T = TypeVar("T")

_MOST_LOST = 50
_NO_MAPPING = "must be a mapping"
_STEP = Pattern(r"\.([A-Za-z0-9]+)|\[([^\]]*)\]")
_CORE = frozenset({""})
_RBAC = frozenset({"rbac.authorization.k8s.io"})
_Entry = tuple[frozenset[str], type[Struct], type[Object[Any]], bool]

_KINDS: dict[str, _Entry] = {
    "Service": (_CORE, kinds.ServiceSpec, kinds.Service, True),
    "ConfigMap": (_CORE, kinds.ConfigMapBody, kinds.ConfigMap, False),
    "Secret": (_CORE, kinds.SecretBody, kinds.Secret, False),
    "SealedSecret": (frozenset({"bitnami.com"}), secret_kinds.SealedSecretSpec, secret_kinds.SealedSecret, True),
    "ExternalSecret": (
        frozenset({"external-secrets.io"}),
        secret_kinds.ExternalSecretSpec,
        secret_kinds.ExternalSecret,
        True,
    ),
    "Certificate": (frozenset({"cert-manager.io"}), secret_kinds.CertificateSpec, secret_kinds.Certificate, True),
    "ServiceAccount": (_CORE, kinds.ServiceAccountBody, kinds.ServiceAccount, False),
    "Namespace": (_CORE, kinds.NamespaceBody, kinds.Namespace, False),
    "ResourceQuota": (_CORE, kinds.ResourceQuotaSpec, kinds.ResourceQuota, True),
    "LimitRange": (_CORE, kinds.LimitRangeSpec, kinds.LimitRange, True),
    "PersistentVolumeClaim": (_CORE, kinds.ClaimSpec, kinds.PersistentVolumeClaim, True),
    "PersistentVolume": (_CORE, kinds.PersistentVolumeSpec, kinds.PersistentVolume, True),
    "HorizontalPodAutoscaler": (
        frozenset({"autoscaling"}),
        kinds.HorizontalPodAutoscalerSpec,
        kinds.HorizontalPodAutoscaler,
        True,
    ),
    "ScaledObject": (frozenset({"keda.sh"}), kinds.ScaledObjectSpec, kinds.ScaledObject, True),
    "PodDisruptionBudget": (frozenset({"policy"}), kinds.PodDisruptionBudgetSpec, kinds.PodDisruptionBudget, True),
    "NetworkPolicy": (frozenset({"networking.k8s.io"}), kinds.NetworkPolicySpec, kinds.NetworkPolicy, True),
    "Ingress": (frozenset({"networking.k8s.io", "extensions"}), kinds.IngressSpec, kinds.Ingress, True),
    "Role": (_RBAC, kinds.RoleBody, kinds.Role, False),
    "ClusterRole": (_RBAC, kinds.RoleBody, kinds.Role, False),
    "RoleBinding": (_RBAC, kinds.RoleBindingBody, kinds.RoleBinding, False),
    "ClusterRoleBinding": (_RBAC, kinds.RoleBindingBody, kinds.RoleBinding, False),
}


class NotDecodable(Exception):
    """The object's fields do not have the types of its kind; ``path`` is where."""

    def __init__(self, message: str, path: FieldPath) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def resources_of(document: Any, number: int) -> Iterator[Resource]:
    """The objects of one document: itself, or the items of a List (lists in lists too).

    What has neither a kind nor an API version is no object, and is yielded all the same: that is to be told.
    """
    return _expand(document, number, ())


def _expand(document: Any, number: int, prefix: FieldPath) -> Iterator[Resource]:
    if not isinstance(document, dict):
        return
    kind, version, items = document.get("kind"), document.get("apiVersion"), document.get("items")
    if isinstance(kind, str) and isinstance(items, list) and (kind == "List" or _is_list_of_objects(kind, items)):
        for index, item in enumerate(items):
            where: FieldPath = (*prefix, "items", index)
            if isinstance(item, dict):
                yield from _expand(_with_its_kind(item, kind, version), number, where)
            else:
                yield Resource(ObjectRef("", ""), {}, number, where)
        return
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name")
    if not isinstance(name, str):
        generated = metadata.get("generateName")
        name = f"{generated}*" if isinstance(generated, str) else ""
    namespace = metadata.get("namespace")
    ref = ObjectRef(
        kind=kind if isinstance(kind, str) else "",
        name=name,
        namespace=namespace if isinstance(namespace, str) else "",
        api_version=version if isinstance(version, str) else "",
    )
    yield Resource(ref, document, number, prefix)


def _is_list_of_objects(kind: str, items: list[Any]) -> bool:
    return kind.endswith("List") and any(
        isinstance(item, dict) and ("kind" in item or isinstance(item.get("metadata"), dict)) for item in items
    )


def _with_its_kind(item: Mapping[str, Any], kind: str, version: Any) -> Mapping[str, Any]:
    """The item of a ``PodList`` and the like, which the API server gives without the kind that its list has."""
    if kind == "List" or "kind" in item or "apiVersion" in item:
        return item
    return {"apiVersion": version, "kind": kind.removesuffix("List"), **item}


def typed(resource: Resource, lost: list[NotDecodable]) -> Object[Any] | None:
    """The typed object of a resource; None for kinds that no check looks into (workloads: see ``workloads``).

    Fields of another type than their kind prescribes are left out and added to ``lost``.

    Raises:
        NotDecodable: nothing is left without such a field.
    """
    entry = _KINDS.get(resource.ref.kind)
    if entry is None or resource.group not in entry[0]:
        return None
    _, struct, wrapper, has_spec = entry
    raw = (resource.raw.get("spec") or {}) if has_spec else resource.raw
    return wrapper(resource, convert_what_fits(raw, struct, ("spec",) if has_spec else (), lost))


def convert_what_fits(raw: Any, struct: type[T], path: FieldPath, lost: list[NotDecodable]) -> T:
    """``convert``, without the fields that have a wrong type: one of them must not hide the others from every rule.

    Raises:
        NotDecodable: nothing is left without such a field.
    """
    for _ in range(_MOST_LOST):
        try:
            return convert(raw, struct, path)
        except NotDecodable as error:
            steps = error.path[len(path) :]
            if not steps:
                raise
            lost.append(error)
            raw = _without(raw, steps, {} if error.message.startswith(_NO_MAPPING) else None)
    raise lost.pop()


def _without(raw: Any, steps: FieldPath, instead: Any) -> Any:
    """A copy in which one field is gone; an item of a list becomes ``instead``, so that the others keep their index."""
    step, rest = steps[0], steps[1:]
    copied: Any = dict(raw) if isinstance(raw, Mapping) else list(raw)
    if rest:
        copied[step] = _without(copied[step], rest, instead)
    elif isinstance(copied, list) and instead is not None and copied[int(step)] != instead:
        copied[int(step)] = instead
    else:
        del copied[step]
    return copied


def convert(raw: Any, struct: type[T], path: FieldPath) -> T:
    """Decodes raw fields found at ``path`` into a struct.

    Raises:
        NotDecodable: a field has another type than its kind prescribes.
    """
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise NotDecodable(in_words(message), (*path, *_steps(where.rstrip("`")))) from error


def _steps(where: str) -> Iterable[str | int]:
    """``.template.spec.containers[0].image`` as path steps; msgspec writes ``[...]`` where it names no index or key."""
    for match in _STEP.finditer(where):
        if match[1]:
            yield match[1]
        elif match[2].isdigit():
            yield int(match[2])
        else:
            return

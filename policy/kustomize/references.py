"""References by name that follow when Kustomize renames an object (prefix, suffix, content hash, namespace).

A reference that was rewritten stays placed where it is written, since that is the line to edit; its entry is the one
that renamed the object it refers to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache

from policy.kustomize.fields import FieldSpec, split_path
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, missing
from policy.kustomize.objects import Identity, Object
from policy.kustomize.scalars import STR

_POD_SPECS = {
    "Pod": "spec",
    "PodTemplate": "template/spec",
    "CronJob": "spec/jobTemplate/spec/template/spec",
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "ReplicationController"), "spec/template/spec"
    ),
}
_CONFIGURED = ("Pod", "PodTemplate", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob")
_OWNED = ("Pod", "StatefulSet", "Deployment", "ReplicationController", "CronJob", "Job", "DaemonSet")
_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_NGINX = "metadata/annotations/nginx.ingress.kubernetes.io\\/"


def _in_pods(kinds: Iterable[str], *paths: str, pod_version: str = "") -> list[FieldSpec]:
    return [
        FieldSpec(f"{_POD_SPECS[kind]}/{path}", kind, version=pod_version if kind == "Pod" else "")
        for kind in kinds
        for path in paths
    ]


def _config_paths(reference: str, volume: str) -> tuple[str, ...]:
    """Where a pod refers to a ConfigMap or Secret: in env, envFrom, volumes and projected volumes."""
    in_containers = (f"env/valueFrom/{reference}KeyRef/name", f"envFrom/{reference}Ref/name")
    return (
        *(f"{containers}/{path}" for containers in ("containers", "initContainers") for path in in_containers),
        f"volumes/{volume}",
        f"volumes/projected/sources/{reference}/name",
    )


def _in(kind: str, *paths: str, group: str = "", version: str = "") -> list[FieldSpec]:
    return [FieldSpec(path, kind, group, version) for path in paths]


@cache
def _referrers() -> list[tuple[Identity, list[FieldSpec]]]:
    """What may refer to objects of a kind: the kind (as an identity without name) and the fields that hold a name."""
    scaled = _in("HorizontalPodAutoscaler", "spec/scaleTargetRef/name")
    scalable = ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
    volumes = _in("PersistentVolumeClaim", "spec/volumeName") + _in("ClusterRole", "rules/resourceNames")
    classes = (
        _in("PersistentVolume", "spec/storageClassName")
        + _in("PersistentVolumeClaim", "spec/storageClassName")
        + _in("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName")
    )
    return [
        *((_kind("", "", kind), scaled) for kind in scalable),
        (_kind("", "v1", "ConfigMap"), _to_config_maps()),
        (_kind("", "v1", "Secret"), _to_secrets()),
        (_kind("", "v1", "Service"), _to_services()),
        (_kind(_RBAC, "", "Role"), _in("RoleBinding", "roleRef/name", group=_RBAC)),
        (_kind(_RBAC, "", "ClusterRole"), _in_bindings("roleRef/name")),
        (_kind("", "v1", "ServiceAccount"), _in_bindings("subjects") + _in_pods(_OWNED, "serviceAccountName")),
        (_kind("", "v1", "PersistentVolumeClaim"), _in_pods(_OWNED, "volumes/persistentVolumeClaim/claimName")),
        (_kind("", "v1", "PersistentVolume"), volumes),
        (_kind("storage.k8s.io", "v1", "StorageClass"), classes),
        (_kind("scheduling.k8s.io", "v1", "PriorityClass"), _in_pods(_OWNED, "priorityClassName")),
        (
            _kind(_ADMISSION, "", "ValidatingAdmissionPolicy"),
            _in("ValidatingAdmissionPolicyBinding", "spec/policyName", group=_ADMISSION),
        ),
    ]


def _kind(group: str, version: str, kind: str) -> Identity:
    return Identity(group, version, kind, "", "")


def _in_bindings(path: str) -> list[FieldSpec]:
    return _in("RoleBinding", path, group=_RBAC) + _in("ClusterRoleBinding", path, group=_RBAC)


def _to_config_maps() -> list[FieldSpec]:
    return [
        *_in_pods(_CONFIGURED, *_config_paths("configMap", "configMap/name"), pod_version="v1"),
        *_in("Node", "spec/configSource/configMap"),
        *_in("Role", "rules/resourceNames"),
        *_in("ClusterRole", "rules/resourceNames"),
        *_in("Ingress", f"{_NGINX}fastcgi-params-configmap"),
    ]


def _to_secrets() -> list[FieldSpec]:
    parameters = ("secretName", "adminSecretName", "userSecretName", "secretRef")
    knative = "spec/template/spec/containers/env/valueFrom/secretKeyRef/name"
    return [
        *_in_pods(
            _CONFIGURED, *_config_paths("secret", "secret/secretName"), "imagePullSecrets/name", pod_version="v1"
        ),
        *_in("Ingress", "spec/tls/secretName", f"{_NGINX}auth-secret", f"{_NGINX}auth-tls-secret"),
        *_in("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
        *_in("ServiceAccount", "imagePullSecrets/name"),
        *_in("StorageClass", *(f"parameters/{each}" for each in parameters)),
        *_in("Role", "rules/resourceNames"),
        *_in("ClusterRole", "rules/resourceNames"),
        *_in("Service", knative, group="serving.knative.dev", version="v1"),
        *_in("PersistentVolume", "spec/azureFile/secretName"),
    ]


def _to_services() -> list[FieldSpec]:
    return [
        *_in("StatefulSet", "spec/serviceName", group="apps"),
        *_in("Ingress", "spec/rules/http/paths/backend/serviceName", "spec/backend/serviceName"),
        *_in("Ingress", "spec/rules/http/paths/backend/service/name", "spec/defaultBackend/service/name"),
        *_in("APIService", "spec/service/name", group="apiregistration.k8s.io"),
        *_in("ValidatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
        *_in("MutatingWebhookConfiguration", "webhooks/clientConfig/service", group=_ADMISSION),
    ]


@cache
def _by_referrer() -> dict[str, list[tuple[Identity, FieldSpec]]]:
    """The same by the kind that refers."""
    found: dict[str, list[tuple[Identity, FieldSpec]]] = defaultdict(list)
    for referred, specs in _referrers():
        for spec in specs:
            found[spec.kind].append((referred, spec))
    return dict(found)


def update_references(objects: list[Object]) -> None:
    """Rewrite every reference to an object whose name or namespace changed."""
    _References(objects).update()


class _References:
    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects
        self.by_name: dict[str, list[Object]] = defaultdict(list)
        for each in objects:
            for name in {identity.name for identity in each.previous}:
                self.by_name[name].append(each)
        self.renamed = {
            name for name, candidates in self.by_name.items() if any(each.name != name for each in candidates)
        }

    def update(self) -> None:
        for referrer in self.objects:
            original = referrer.original
            for referred, spec in _by_referrer().get(original.kind, ()):
                if spec.selects(original.api_version, original.kind) and (self.renamed or _may_hold_mapping(spec)):
                    steps = split_path(spec.path, "/")
                    self.visit(referrer.root, steps, referrer, referred, spec)

    def visit(self, node: Node, steps: tuple[str, ...], referrer: Object, referred: Identity, spec: FieldSpec) -> None:
        if isinstance(node, List):
            for item in node.items:
                self.visit(item, steps, referrer, referred, spec)
            return
        if not isinstance(node, Map):
            return
        there = node.fields.get(steps[0])
        if missing(there):
            return
        assert there is not None
        if len(steps) > 1:
            self.visit(there, steps[1:], referrer, referred, spec)
        elif isinstance(there, Scalar):
            node.fields[steps[0]] = self.scalar(there, referrer, referred, spec)
        elif isinstance(there, Map):
            self.mapping(there, referrer, referred, spec)
        else:
            self.sequence(there, referrer, referred, spec)

    def sequence(self, there: List, referrer: Object, referred: Identity, spec: FieldSpec) -> None:
        for index, item in enumerate(there.items):
            if isinstance(item, Scalar):
                there.items[index] = self.scalar(item, referrer, referred, spec)
            elif isinstance(item, Map):
                self.mapping(item, referrer, referred, spec)

    def scalar(self, there: Scalar, referrer: Object, referred: Identity, spec: FieldSpec) -> Scalar:
        if there.text not in self.renamed:
            return there
        found = _select(self.by_name[there.text], referrer, referred, spec, _same_name)
        return there if found is None or found.name == there.text else _renamed(there, found)

    def mapping(self, there: Map, referrer: Object, referred: Identity, spec: FieldSpec) -> None:
        """A reference that names a namespace too, e.g. a subject of a RoleBinding."""
        name = there.fields.get("name")
        if not isinstance(name, Scalar):
            return
        candidates = self.by_name.get(name.text, [])
        namespace = there.fields.get("namespace")
        if namespace is not None:
            text = namespace.text if isinstance(namespace, Scalar) else ""
            candidates = self.of_namespace(candidates, text, referrer)
        found = _select(candidates, referrer, referred, spec, _same_name_and_namespace)
        if found is None:
            return
        if found.name != name.text:
            there.fields["name"] = _renamed(name, found)
        metadata = found.metadata
        stated = metadata.fields.get("namespace") if metadata is not None else None
        if isinstance(stated, Scalar) and found.namespace:
            there.fields["namespace"] = Scalar(stated.text, STR, stated.mark)

    def of_namespace(self, candidates: list[Object], namespace: str, referrer: Object) -> list[Object]:
        """Those that were in that namespace at first, else (if it held nothing at all) those that are in it now."""
        if any(each.original.effective_namespace == namespace and could_refer(referrer, each) for each in self.objects):
            return [each for each in candidates if each.original.effective_namespace == namespace]
        return [each for each in candidates if each.identity.effective_namespace == namespace]


def _select(
    candidates: list[Object],
    referrer: Object,
    referred: Identity,
    spec: FieldSpec,
    alike: Callable[[list[Object]], bool],
) -> Object | None:
    """The one object that is meant; None if there is none, or no telling which."""
    found = [
        each
        for each in candidates
        if could_refer(referrer, each)
        and any(_is_selected(identity, referred) for identity in each.earlier)
        and _fits_role(each, referrer, spec)
        and _same_namespace(referrer, each)
    ]
    if len(found) == 1:
        return found[0]
    found = [each for each in found if _affixes_fit(each, referrer, allow_empty=True)]
    if len(found) > 1:
        found = [each for each in found if _affixes_fit(each, referrer, allow_empty=False)]
    return found[0] if found and alike(found) else None


def _may_hold_mapping(spec: FieldSpec) -> bool:
    return spec.path in ("subjects", "webhooks/clientConfig/service")


def _renamed(there: Scalar, found: Object) -> Scalar:
    cause = found.renamed_by.source if found.renamed_by is not None else there.mark.source
    source = Source(there.mark.source.file, cause.kustomization, cause.entry)
    mark = there.mark
    return Scalar(found.name, STR, Mark(source, mark.line, mark.column, mark.end_column))


def _is_selected(identity: Identity, wanted: Identity) -> bool:
    return all(
        not want or want == is_
        for want, is_ in (
            (wanted.group, identity.group),
            (wanted.version, identity.version),
            (wanted.kind, identity.kind),
        )
    )


def could_refer(referrer: Object, target: Object) -> bool:
    """Whether an object may refer to another at all: in the same namespace, or where one of them has none."""
    own, other = referrer.identity, target.identity
    if own.is_cluster_scoped or other.is_cluster_scoped or own.effective_namespace == other.effective_namespace:
        return True
    return target.namespace in _subject_namespaces(referrer)


def _subject_namespaces(referrer: Object) -> set[str]:
    subjects = referrer.root.fields.get("subjects")
    if referrer.kind != "RoleBinding" or not isinstance(subjects, List):
        return set()
    return {
        each.text("namespace")
        for each in subjects.items
        if isinstance(each, Map) and "namespace" in each.fields and each.text("kind") == "ServiceAccount"
    }


def _fits_role(candidate: Object, referrer: Object, spec: FieldSpec) -> bool:
    role = referrer.root.fields.get("roleRef")
    if not spec.path.endswith("roleRef/name") or not isinstance(role, Map):
        return True
    if missing(role.fields.get("apiGroup")) or missing(role.fields.get("kind")):
        return True
    wanted = Identity(role.text("apiGroup"), "", role.text("kind"), "", "")
    return any(_is_selected(identity, wanted) for identity in candidate.earlier)


def _same_namespace(referrer: Object, candidate: Object) -> bool:
    own, other = referrer.identity, candidate.identity
    if own.is_cluster_scoped or other.is_cluster_scoped or candidate.kind == "ServiceAccount":
        return True
    return own.effective_namespace == other.effective_namespace


def _affixes_fit(one: Object, other: Object, *, allow_empty: bool) -> bool:
    return all(
        (allow_empty and not (ours and theirs)) or _same_ending(ours, theirs)
        for ours, theirs in ((one.prefixes, other.prefixes), (one.suffixes, other.suffixes))
    )


def _same_ending(one: list[str], other: list[str]) -> bool:
    length = min(len(one), len(other))
    if length == 0:
        return len(one) == len(other)
    return one[len(one) - length :] == other[len(other) - length :]


def _same_name(objects: list[Object]) -> bool:
    return len({each.name for each in objects}) == 1


def _same_name_and_namespace(objects: list[Object]) -> bool:
    return len({(each.name, each.namespace) for each in objects}) == 1

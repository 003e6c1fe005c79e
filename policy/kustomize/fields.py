"""Fields by path, as Kustomize's built-in transformers address them: which kinds, which path, made if missing or not.

A path is steps joined by ``/``; it goes into every item of a list on its way, and a step that ends in ``[]`` is never
made. The tables say what Kustomize 5.8 does without a ``configurations`` file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from policy.kustomize.marks import List, Map, Mark, Node, Scalar, missing
from policy.kustomize.objects import Object, split_api_version
from policy.kustomize.scalars import NULL

Setter = Callable[[Map, str], None]
"""Called with the mapping that holds the field, and its name."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of some kinds of objects; empty group, version or kind mean any."""

    path: str
    kind: str = ""
    group: str = ""
    version: str = ""
    create: bool = False

    def selects(self, api_version: str, kind: str) -> bool:
        if self.kind and self.kind != kind:
            return False
        group, version = split_api_version(api_version)
        return (not self.group or self.group == group) and (not self.version or self.version == version)


@cache
def split_path(path: str, delimiter: str) -> tuple[str, ...]:
    """The steps of a path; a backslash before the delimiter makes it part of the step."""
    parts = path.split(delimiter)
    if len(parts) > 1 and not parts[0]:
        parts = parts[1:]
    steps = [parts[0]]
    for part in parts[1:]:
        if steps[-1].endswith("\\"):
            steps[-1] = steps[-1][:-1] + delimiter + part
        else:
            steps.append(part)
    return tuple(steps)


def _specs(table: str, create: bool = False) -> tuple[FieldSpec, ...]:
    """One spec per line and kind: ``path kind,kind [group]``; a plus in front says that it is made if missing."""
    found = []
    for line in table.strip().splitlines():
        path, kinds, group = (*line.split(), "", "")[:3]
        made = create or path.startswith("+")
        for kind in kinds.split(","):
            name, _, version = kind.partition("@")
            found.append(FieldSpec(path.lstrip("+"), name, group, version, made))
    return tuple(found)


_ANY_TEMPLATE = "ReplicationController@v1,Deployment,ReplicaSet,DaemonSet"

METADATA_LABELS = FieldSpec("metadata/labels", create=True)

TEMPLATE_LABELS = _specs(
    f"""
    metadata/labels
    spec/template/metadata/labels {_ANY_TEMPLATE}
    spec/template/metadata/labels StatefulSet apps
    spec/template/metadata/labels Job batch
    spec/jobTemplate/metadata/labels CronJob batch
    spec/jobTemplate/spec/template/metadata/labels CronJob batch
    """,
    create=True,
)

_TOGETHER = "spec/template/spec/affinity/podAffinity"
_APART = "spec/template/spec/affinity/podAntiAffinity"
_TERM = "DuringSchedulingIgnoredDuringExecution"

CLAIM_LABELS = _specs("spec/volumeClaimTemplates[]/metadata/labels StatefulSet apps", create=True)

SELECTOR_LABELS = (
    _specs(
        f"""
        +spec/selector Service@v1,ReplicationController@v1
        +spec/selector/matchLabels Deployment,ReplicaSet,DaemonSet
        +spec/selector/matchLabels StatefulSet apps
        {_TOGETHER}/preferred{_TERM}/podAffinityTerm/labelSelector/matchLabels Deployment,StatefulSet apps
        {_TOGETHER}/required{_TERM}/labelSelector/matchLabels Deployment,StatefulSet apps
        {_APART}/preferred{_TERM}/podAffinityTerm/labelSelector/matchLabels Deployment,StatefulSet apps
        {_APART}/required{_TERM}/labelSelector/matchLabels Deployment,StatefulSet apps
        spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels Deployment,StatefulSet apps
        spec/selector/matchLabels Job batch
        spec/jobTemplate/spec/selector/matchLabels CronJob batch
        spec/selector/matchLabels PodDisruptionBudget policy
        spec/podSelector/matchLabels NetworkPolicy networking.k8s.io
        spec/ingress/from/podSelector/matchLabels NetworkPolicy networking.k8s.io
        spec/egress/to/podSelector/matchLabels NetworkPolicy networking.k8s.io
        """
    )
    + TEMPLATE_LABELS
    + CLAIM_LABELS
)

ANNOTATIONS = _specs(
    f"""
    metadata/annotations
    spec/template/metadata/annotations {_ANY_TEMPLATE},StatefulSet
    spec/template/metadata/annotations Job batch
    spec/jobTemplate/metadata/annotations CronJob batch
    spec/jobTemplate/spec/template/metadata/annotations CronJob batch
    """,
    create=True,
)

NAMESPACES = _specs(
    """
    +spec/service/namespace APIService apiregistration.k8s.io
    spec/conversion/webhook/clientConfig/service/namespace CustomResourceDefinition apiextensions.k8s.io
    """
)

REPLICAS = _specs("spec/replicas Deployment,ReplicationController,ReplicaSet,StatefulSet", create=True)

_IMAGE_FIELDS = ("containers[]/image", "initContainers[]/image", "volumes[]/image/reference")

IMAGES = (
    *(FieldSpec(f"{pod}/{each}", create=True) for pod in ("spec", "spec/template/spec") for each in _IMAGE_FIELDS),
    FieldSpec("spec/jobTemplate/spec/template/spec/volumes[]/image/reference", create=True),
)


def visit(object: Object, spec: FieldSpec, set_field: Setter, create: type[Node] | None, mark: Mark) -> None:
    """Call ``set_field`` for each place in the object that the spec means.

    ``create`` is the kind of node that is made at the end of the path where the spec says so; None makes nothing. What
    is made gets ``mark``.
    """
    if spec.selects(object.root.text("apiVersion"), object.kind):
        _visit(object.root, split_path(spec.path, "/"), create if spec.create else None, set_field, mark)


def blank(kind: type[Node], mark: Mark) -> Node:
    """An empty node of that kind."""
    if kind is Map:
        return Map(mark)
    return List(mark) if kind is List else Scalar("", NULL, mark)


def _visit(node: Node, steps: tuple[str, ...], create: type[Node] | None, set_field: Setter, mark: Mark) -> None:
    if isinstance(node, List):
        for item in node.items:
            _visit(item, steps, create, set_field, mark)
        return
    if not isinstance(node, Map):
        return
    step = steps[0].removesuffix("[]")
    is_list = step != steps[0]
    is_last = len(steps) == 1
    if step not in node.fields and (create is None or is_list):
        return
    wanted = List if is_list else Map if create is not None and not is_last else create
    if wanted is not None and missing(node.fields.get(step)):
        node.fields[step] = blank(wanted, mark)
    if is_last:
        set_field(node, step)
    else:
        _visit(node.fields[step], steps[1:], create, set_field, mark)

"""An object on its way through the layers of a kustomization, and how Kustomize identifies it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy.kustomize.marks import List, Map, Mark, Node, Scalar
from policy.kustomize.scalars import NULL, STR
from policy.kustomize.schema import is_cluster_scoped

DEFAULT_NAMESPACE = "default"
NO_NAMESPACE = "_non_namespaceable_"


@dataclass(frozen=True, slots=True)
class Identity:
    """Group, version, kind, name and namespace, as they were at some moment."""

    group: str
    version: str
    kind: str
    name: str
    namespace: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_cluster_scoped(self) -> bool:
        return is_cluster_scoped(self.api_version, self.kind)

    @property
    def effective_namespace(self) -> str:
        """What two objects must have in common to be in one namespace; absent means the default one."""
        return NO_NAMESPACE if self.is_cluster_scoped else self.namespace or DEFAULT_NAMESPACE

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes two identities the same object."""
        return self.group, self.version, self.kind, self.name, self.effective_namespace


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version; the group is empty for the core ones."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", group)


@dataclass(slots=True)
class _Shared:
    """One value that several fields hold."""

    value: Node
    holders: list[tuple[Map, str]]


class Object:
    """A Kubernetes object with marks. ``declared`` is where it was first stated: its name, or its generator's.

    ``previous`` holds the identities that it had before names or namespaces changed, the first one first: patches and
    references find it by any of them.
    """

    __slots__ = (
        "_shared",
        "behavior",
        "declared",
        "needs_hash",
        "prefixes",
        "previous",
        "renamed_by",
        "root",
        "suffixes",
    )

    def __init__(self, root: Map, declared: Mark | None = None) -> None:
        self.root = root
        self.declared = declared or _declared(root)
        self.previous: list[Identity] = []
        self.prefixes: list[str] = []
        self.suffixes: list[str] = []
        self.needs_hash = False
        self.behavior = ""
        self.renamed_by: Mark | None = None
        self._shared: list[_Shared] = []

    def __repr__(self) -> str:
        return f"Object({self.identity})"

    @property
    def kind(self) -> str:
        return self.root.text("kind")

    @property
    def metadata(self) -> Map | None:
        node = self.root.fields.get("metadata")
        return node if isinstance(node, Map) else None

    @property
    def name(self) -> str:
        return self.metadata_text("name")

    @property
    def namespace(self) -> str:
        return self.metadata_text("namespace")

    def metadata_text(self, key: str) -> str:
        metadata = self.metadata
        return "" if metadata is None else metadata.text(key)

    @property
    def identity(self) -> Identity:
        group, version = split_api_version(self.root.text("apiVersion"))
        return Identity(group, version, self.kind, self.name, self.namespace)

    @property
    def original(self) -> Identity:
        return self.previous[0] if self.previous else self.identity

    @property
    def identities(self) -> Iterator[Identity]:
        """All that it ever had, the present one last; the earlier ones under the present version."""
        now = self.identity
        for each in self.previous:
            yield Identity(now.group, now.version, each.kind, each.name, each.namespace)
        yield now

    @property
    def earlier(self) -> list[Identity]:
        """``identities`` but for the present one."""
        return list(self.identities)[:-1]

    def remember(self) -> None:
        """Keep the present identity as a previous one."""
        now = self.identity
        self.previous.append(Identity(now.group, now.version, now.kind, now.name, now.effective_namespace))

    def texts(self, field: str) -> dict[str, str]:
        """The labels or annotations as texts."""
        metadata = self.metadata
        node = metadata.fields.get(field) if metadata is not None else None
        if not isinstance(node, Map):
            return {}
        return {key: each.text if isinstance(each, Scalar) else "" for key, each in node.fields.items()}

    def set_metadata(self, key: str, node: Node | None) -> None:
        """Set or (with None) drop a field of metadata, which is made if it is missing."""
        metadata = self.metadata
        if metadata is None:
            if node is None:
                return
            metadata = Map(node.mark)
            self.root.fields["metadata"] = metadata
        if node is None:
            metadata.fields.pop(key, None)
        else:
            metadata.fields[key] = node

    def rewrite_annotations(self) -> None:
        """What Kustomize does whenever it is done with its own annotations: all are texts, and none is no field."""
        metadata = self.metadata
        if metadata is None or "annotations" not in metadata.fields:
            return
        there = metadata.fields["annotations"]
        texts = stringify(there)
        if texts is not None:
            metadata.fields["annotations"] = texts
        elif isinstance(there, Map) and there.removed:
            metadata.remove("annotations", next(reversed(there.removed.values())))
        else:
            del metadata.fields["annotations"]

    def share(self, value: Node, holders: list[tuple[Map, str]]) -> None:
        """Note that a transformer put one and the same value into several fields.

        Kustomize keeps one node there, so that a later change of one of these fields changes them all.
        """
        if len(holders) > 1:
            self._shared.append(_Shared(value, holders))

    def settle(self) -> None:
        """Let the fields that share a value have the one that was last put into any of them."""
        for shared in self._shared:
            shared.holders = [(holder, key) for holder, key in shared.holders if key in holder.fields]
            changed = [now for holder, key in shared.holders if (now := holder.fields[key]) is not shared.value]
            if changed:
                shared.value = changed[-1]
                for holder, key in shared.holders:
                    holder.fields[key] = shared.value

    def unshare(self) -> None:
        """Give each field a value of its own, as rewriting the whole object does."""
        self._shared = []

    def forget(self) -> None:
        """Lose what Kustomize keeps in annotations: earlier identities, affixes, the wish for a content hash."""
        self.previous, self.prefixes, self.suffixes = [], [], []
        self.needs_hash = False

    @property
    def is_annotated(self) -> bool:
        """Whether Kustomize keeps anything in annotations of the object, so that it is not without any."""
        return bool(self.previous or self.prefixes or self.suffixes or self.needs_hash)

    def set_name(self, name: str, mark: Mark) -> None:
        """Rename because of the line at ``mark``."""
        self.set_metadata("name", Scalar(name, STR, mark))
        self.renamed_by = mark


def _declared(root: Map) -> Mark:
    metadata = root.fields.get("metadata")
    if isinstance(metadata, Map):
        name = metadata.fields.get("name")
        if isinstance(name, Scalar):
            return name.mark
    return root.mark


def stringify(node: Node | None) -> Map | None:
    """A map of texts as Kustomize rewrites labels and annotations: every value a text, in order of the keys."""
    if not isinstance(node, Map) or not node.fields:
        return None
    result = Map(node.mark)
    result.removed, result.lost = node.removed, node.lost
    for key in sorted(node.fields):
        value = node.fields[key]
        if isinstance(value, Scalar):
            result.fields[key] = value if value.tag == STR else Scalar(value.text, STR, value.mark)
        else:
            result.fields[key] = Scalar("", STR, value.mark)
    return result


def is_empty(node: Node | None) -> bool:
    """Absent, null, or a mapping or list without content."""
    if node is None or (isinstance(node, Scalar) and node.tag == NULL):
        return True
    return (isinstance(node, Map) and not node.fields) or (isinstance(node, List) and not node.items)

"""Random kustomization trees that Kustomize accepts, most of the time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.kustomize.trees import dump

Draw = st.DrawFn
NAMES = ("web", "api")
CONTAINERS = ("app", "side", "log")
NAMESPACES = ("shop", "tools")
_INCLUDED = ("includeSelectors", "includeTemplates", "includeVolumeClaimTemplates")
_KIND_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "CronJob": "batch/v1",
    "Service": "v1",
    "ConfigMap": "v1",
    "ServiceAccount": "v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "Namespace": "v1",
    "Widget": "example.com/v1",
}


@dataclass
class Values:
    """Scalars of a tree. ``unique`` makes each another one, so that no entry can repeat what is there already."""

    draw: Draw
    unique: bool = False
    used: int = 0

    def text(self) -> str:
        self.used += 1
        return f"v{self.used}" if self.unique else self.draw(st.sampled_from(["a", "b", "8080", "true", "x/y"]))

    def number(self) -> int:
        self.used += 1
        return 100 + self.used if self.unique else self.draw(st.sampled_from([1, 2, 8080]))

    def image(self) -> str:
        self.used += 1
        if self.unique:
            return f"nginx:{self.used}"
        return self.draw(
            st.sampled_from(["nginx", "nginx:1", "reg:5000/nginx:1@sha256:ab", "nginx@sha256:cd", "redis:7"])
        )

    def chance(self, percent: int = 50) -> bool:
        return self.draw(st.integers(1, 100)) <= percent

    def some(self, choices: tuple[str, ...], least: int = 0) -> list[str]:
        return self.draw(st.lists(st.sampled_from(choices), min_size=least, max_size=len(choices), unique=True))

    def one(self, choices: tuple[Any, ...]) -> Any:
        return self.draw(st.sampled_from(choices))


@dataclass
class Shape:
    """How objects are drawn: whole, or as a patch that states some fields and may take others away."""

    values: Values
    is_patch: bool = False
    directives: bool = True

    def fields(self, **wanted: Any) -> dict[str, Any]:
        """Some of the fields; each is a function that draws its value."""
        result: dict[str, Any] = {}
        for key, value in wanted.items():
            if self.values.chance(45 if self.is_patch else 75):
                result[key] = None if self.takes_away(12) else value()
        return result

    def takes_away(self, percent: int) -> bool:
        return self.is_patch and self.directives and self.values.chance(percent)

    def items(self, made: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        """List items, some of them only there to be deleted, or the whole list to be replaced."""
        result = [
            {key: each[key], "$patch": "delete"} if key in each and self.takes_away(15) else each for each in made
        ]
        if result and self.takes_away(8):
            result.append({"$patch": "replace"})
        return result

    def map(self, *keys: str) -> dict[str, Any]:
        result: dict[str, Any] = {key: self.values.text() for key in self.values.some(keys)}
        for key in list(result):
            if self.takes_away(15):
                result[key] = None
        if result and self.takes_away(6):
            result["$patch"] = "replace"
        return result

    def container(self, name: str) -> dict[str, Any]:
        values = self.values
        return {
            "name": name,
            **self.fields(
                image=values.image,
                command=lambda: [values.text() for _ in range(values.one((1, 2)))],
                env=lambda: self.items(
                    [{"name": each, "value": values.text()} for each in values.some(("A", "B", "C"))], "name"
                ),
                envFrom=lambda: [{"configMapRef": {"name": values.one(("settings", "files"))}}],
                ports=self.ports,
                volumeMounts=lambda: self.items(
                    [{"mountPath": f"/{each}", "name": each} for each in values.some(("tmp", "data"))], "mountPath"
                ),
                resources=lambda: {each: self.map("cpu", "memory") for each in values.some(("limits", "requests"))},
                securityContext=lambda: self.fields(
                    readOnlyRootFilesystem=lambda: values.one((True, False)),
                    capabilities=lambda: {"drop": [values.text()]},
                ),
            ),
        }

    def ports(self) -> list[dict[str, Any]]:
        ports = []
        for number in self.values.draw(st.lists(st.sampled_from([80, 443]), max_size=2, unique=True)):
            port: dict[str, Any] = {"containerPort": number, **self.fields(name=self.values.text)}
            if self.values.chance(40) and not self.values.unique:  # Kustomize confuses ports that state one and not
                port["protocol"] = self.values.one(("TCP", "UDP"))
            ports.append({key: value for key, value in port.items() if value is not None})
        return ports

    def pod(self) -> dict[str, Any]:
        values = self.values
        spec: dict[str, Any] = self.fields(
            serviceAccountName=lambda: values.one(NAMES),
            volumes=lambda: self.items(
                [
                    {
                        "name": each,
                        **values.one(
                            ({"emptyDir": {}}, {"configMap": {"name": "settings"}}, {"secret": {"secretName": "files"}})
                        ),
                    }
                    for each in values.some(("tmp", "data"))
                ],
                "name",
            ),
            tolerations=lambda: [{"key": values.text()} for _ in range(values.one((1, 2)))],
            topologySpreadConstraints=lambda: [
                {"topologyKey": each, "whenUnsatisfiable": "DoNotSchedule", **self.fields(maxSkew=values.number)}
                for each in values.some(("zone", "host"))
            ],
            hostAliases=lambda: [
                {"ip": each, "hostnames": [values.text()]} for each in values.some(("1.1.1.1", "2.2.2.2"))
            ],
        )
        names = values.some(CONTAINERS, least=0 if self.is_patch else 1)
        if names:
            spec["containers"] = self.items([self.container(each) for each in names], "name")
        if values.chance(20):
            spec["initContainers"] = [self.container("init")]
        if self.takes_away(5):
            spec["$patch"] = "replace"
        return spec

    def template(self) -> dict[str, Any]:
        return {
            **self.fields(metadata=lambda: {"labels": self.map("app", "tier")}),
            "spec": self.pod(),
        }

    def metadata(self, name: str, namespace: str = "") -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
        found = self.fields(
            labels=lambda: self.map("app", "tier", "team"),
            annotations=lambda: self.map("note", "owner"),
            finalizers=lambda: self.values.some(("one", "two")),
        )
        return {**metadata, **found}

    def body(self, kind: str) -> dict[str, Any]:
        values = self.values
        match kind:
            case "Deployment" | "StatefulSet":
                spec = self.fields(
                    replicas=values.number,
                    selector=lambda: {"matchLabels": self.map("app", "tier")},
                    serviceName=lambda: values.one(NAMES),
                )
                claims = [{"metadata": {"name": "data"}}] if kind == "StatefulSet" else []
                return {"spec": {**spec, "template": self.template(), "volumeClaimTemplates": claims}}
            case "CronJob":
                return {"spec": {"schedule": values.text(), "jobTemplate": {"spec": {"template": self.template()}}}}
            case "Service":
                ports = [{"port": each, **self.fields(protocol=lambda: "TCP", name=values.text)} for each in (80, 443)]
                return {
                    "spec": self.fields(
                        ports=lambda: ports[: values.one((1, 2))], selector=lambda: self.map("app", "tier")
                    )
                }
            case "ConfigMap":
                return self.fields(data=lambda: self.map("one", "two", "three"))
            case "ServiceAccount":
                return self.fields(secrets=lambda: [{"name": each} for each in values.some(("settings", "files"))])
            case "RoleBinding":
                subjects = [{"kind": "ServiceAccount", "name": each} for each in ("web", "default")]
                if values.chance(30):
                    subjects[0]["namespace"] = values.one(NAMESPACES)
                role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": values.one(NAMES)}
                return {"roleRef": role, "subjects": subjects}
        return self.other_body(kind)

    def other_body(self, kind: str) -> dict[str, Any]:
        values = self.values
        match kind:
            case "HorizontalPodAutoscaler":
                target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": values.one(NAMES)}
                metrics = [
                    {"type": "Resource", "resource": {"name": each}} for each in values.some(("cpu", "memory"), 1)
                ]
                return {
                    "spec": {
                        "scaleTargetRef": target,
                        **self.fields(maxReplicas=values.number, metrics=lambda: metrics),
                    }
                }
            case "NetworkPolicy":
                peer = {"podSelector": {"matchLabels": self.map("app")}}
                return {
                    "spec": self.fields(
                        podSelector=lambda: {"matchLabels": self.map("app")}, ingress=lambda: [{"from": [peer]}]
                    )
                }
            case "Ingress":
                path = {
                    "path": values.text(),
                    "backend": {"service": {"name": values.one(NAMES), "port": {"number": 80}}},
                }
                return {"spec": {"rules": [{"host": values.text(), "http": {"paths": [path]}}]}}
            case "Namespace":
                return {}
        free = self.fields(size=values.number, containers=lambda: [self.container("app")], tags=lambda: [values.text()])
        return {"spec": free}

    def object(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        head = {"apiVersion": _KIND_VERSIONS[kind], "kind": kind}
        return {**head, "metadata": self.metadata(name, namespace), **self.body(kind)}


@dataclass
class Tree:
    """A drawn tree. ``entries`` are the removable parts of the layers: (kustomization, field, index or None)."""

    files: dict[str, Any] = field(default_factory=dict)
    kustomizations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def written(self) -> dict[str, str]:
        """The files as text."""
        found = {name: content if isinstance(content, str) else dump(*content) for name, content in self.files.items()}
        for folder, kustomization in self.kustomizations.items():
            found[f"{folder}/kustomization.yaml"] = dump(kustomization)
        return found

    def entries(self) -> list[tuple[str, str, int | None]]:
        result: list[tuple[str, str, int | None]] = []
        for folder, kustomization in self.kustomizations.items():
            for name, value in kustomization.items():
                if name in ("apiVersion", "kind", "resources", "components", "generatorOptions", "sortOptions"):
                    continue
                if isinstance(value, list):
                    result.extend((folder, name, index) for index in range(len(value)))
                else:
                    result.append((folder, name, None))
        return result

    def without(self, folder: str, name: str, index: int | None) -> Tree:
        """The tree without one entry."""
        kustomizations = {key: dict(value) for key, value in self.kustomizations.items()}
        if index is None:
            del kustomizations[folder][name]
        else:
            kustomizations[folder][name] = [
                each for position, each in enumerate(kustomizations[folder][name]) if position != index
            ]
        return Tree(self.files, kustomizations)


@dataclass
class Layer:
    """Drawing the changes of one kustomization to objects that are known so far."""

    tree: Tree
    folder: str
    values: Values
    objects: list[dict[str, Any]]

    def patch_text(self, documents: list[Any]) -> dict[str, Any]:
        """A patch as a file or written inline."""
        name = f"patch-{len(self.tree.files)}.yaml"
        if self.values.chance(30):
            return {"patch": dump(*documents)}
        self.tree.files[f"{self.folder}/{name}"] = documents
        return {"path": name}

    def strategic(self) -> dict[str, Any]:
        target = self.values.one(tuple(self.objects))
        shape = Shape(self.values, is_patch=True)
        wanted = shape.object(target["kind"], target["metadata"]["name"], target["metadata"].get("namespace", ""))
        if self.values.chance(40):
            selector = self.values.one(
                (
                    {"kind": target["kind"]},
                    {"kind": target["kind"], "name": target["metadata"]["name"]},
                    {"name": "w.*", "kind": target["kind"]},
                    {"labelSelector": "app", "kind": target["kind"]},
                )
            )
            return {**self.patch_text([wanted]), "target": selector}
        return self.patch_text([wanted])

    def operations(self) -> dict[str, Any]:
        target = self.values.one(tuple(self.objects))
        found = []
        for path, _ in _paths(target):
            if len(path) > 1 and path[0] != "kind" and path != ("metadata", "name") and self.values.chance(10):
                found.append(self.operation(path))
        if not found:
            found = [{"op": "add", "path": "/metadata/annotations", "value": {"added": self.values.text()}}]
        selector = {"kind": target["kind"], "name": target["metadata"]["name"]}
        if "namespace" in target["metadata"]:
            selector["namespace"] = target["metadata"]["namespace"]
        return {**self.patch_text([found]), "target": selector}

    def operation(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        pointer = "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
        kind = self.values.one(("replace", "remove", "add", "copy"))
        if path == ("metadata", "annotations"):
            kind = "remove"  # a copy would show what Kustomize keeps there for itself
        if kind == "remove":
            return {"op": "remove", "path": pointer}
        if kind == "copy":
            return {"op": "copy", "from": pointer, "path": "/metadata/copied"}
        return {"op": kind, "path": pointer, "value": self.values.one((self.values.text(), self.values.number()))}

    def generator(self, name: str, behavior: str = "") -> dict[str, Any]:
        entry: dict[str, Any] = {"name": name}
        if behavior:
            entry["behavior"] = behavior
        entry["literals"] = [f"{key}={self.values.text()}" for key in self.values.some(("one", "two"), 1)]
        if self.values.chance(40):
            file = f"data-{len(self.tree.files)}.conf"
            self.tree.files[f"{self.folder}/{file}"] = f"listen {self.values.text()};\n<&>\n"
            entry["files"] = [self.values.one((file, f"named={file}"))]
        if self.values.chance(30):
            file = f"env-{len(self.tree.files)}.env"
            self.tree.files[f"{self.folder}/{file}"] = f"# note\nENV={self.values.text()}\n"
            entry["envs"] = [file]
        if self.values.chance(30) and not (behavior and self.values.unique):
            entry["options"] = {"disableNameSuffixHash": True, "labels": {"generated": self.values.text()}}
        return entry

    def image(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.values.one(("nginx", "reg:5000/nginx", "redis", "absent"))}
        self.values.used += 1
        number = self.values.used
        changes = {"newName": f"image{number}", "newTag": f"t{number}", "digest": f"sha256:d{number}"}
        return entry | {key: value for key, value in changes.items() if self.values.chance(45)}

    def label(self) -> dict[str, Any]:
        pairs = {each: self.values.text() for each in self.values.some(("app", "env", "team"), 1)}
        return {"pairs": pairs, **dict.fromkeys(self.values.some(_INCLUDED), True)}

    def replacement(self) -> dict[str, Any]:
        source, target = self.values.one(tuple(self.objects)), self.values.one(tuple(self.objects))
        into = self.values.one(("metadata.annotations.copied", "metadata.labels.copied", "metadata.annotations.note"))
        selected = {"kind": target["kind"], "name": target["metadata"]["name"]}
        return {
            "source": {"kind": source["kind"], "name": source["metadata"]["name"], "fieldPath": "metadata.name"},
            "targets": [{"select": selected, "fieldPaths": [into], "options": {"create": True}}],
        }

    def replicas(self) -> list[dict[str, Any]]:
        names = {each["metadata"]["name"] for each in self.objects if each["kind"] in ("Deployment", "StatefulSet")}
        return [{"name": each, "count": self.values.number()} for each in sorted(names) if self.values.chance(60)]

    def changes(
        self, *, generators: tuple[str, ...] = ("settings", "files"), merge: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The fields of the kustomization that change objects, those that do nothing left out."""
        values, result = self.values, {}
        if values.chance(35):
            result["namespace"] = values.one(NAMESPACES)
        for name in ("namePrefix", "nameSuffix"):
            if values.chance(15):
                result[name] = "pre-" if name == "namePrefix" else "-post"
        if values.chance(15):
            result["commonAnnotations"] = {"common": values.text()}
        many: dict[str, Any] = {
            "labels": [self.label() for _ in range(values.one((0, 0, 1, 2)))],
            "patches": [
                self.strategic() if values.chance(65) else self.operations() for _ in range(values.one((0, 1, 2, 3)))
            ],
            "images": [self.image() for _ in range(values.one((0, 1, 2)))],
            "replicas": self.replicas() if values.chance(40) else [],
            "configMapGenerator": [self.generator(each) for each in generators[:1] if values.chance(50)]
            + [self.generator(each, values.one(("merge", "replace"))) for each in merge if values.chance(50)],
            "secretGenerator": [self.generator(each) for each in generators[1:] if values.chance(40)],
            "replacements": [self.replacement() for _ in range(values.one((0, 0, 1)))],
        }
        return {**result, **{name: entries for name, entries in many.items() if entries}}


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    found = [(path, value)] if path else []
    if isinstance(value, dict):
        for key, each in value.items():
            found.extend(_paths(each, (*path, key)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found.extend(_paths(each, (*path, index)))
    return found


@st.composite
def trees(draw: Draw, *, unique: bool = False) -> Tree:
    """A base with some objects, perhaps a component, and an overlay that changes them."""
    values = Values(draw, unique)
    tree = Tree()
    objects: list[dict[str, Any]] = []
    names = []
    for kind in draw(st.lists(st.sampled_from(tuple(_KIND_VERSIONS)), min_size=1, max_size=5, unique=True)):
        for name in values.some(NAMES, 1):
            namespace = values.one(("", "", "shop")) if kind != "Namespace" else ""
            each = Shape(values).object(kind, name, namespace)
            objects.append(each)
            names.append(f"{kind}-{name}.yaml".lower())
            tree.files[f"base/{names[-1]}"] = [each]
    base = Layer(tree, "base", values, objects).changes(generators=("settings", "files")) if values.chance(50) else {}
    tree.kustomizations["base"] = {"resources": names, **base}
    generated = tuple(each["name"] for each in base.get("configMapGenerator", ()))
    overlay: dict[str, Any] = {"resources": ["../base"]}
    if unique:
        overlay["sortOptions"] = {"order": "fifo"}  # so that objects keep their positions whatever is left out
    if values.chance(30):
        component = Layer(tree, "component", values, objects).changes(generators=())
        head = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        tree.kustomizations["component"] = {**head, **(component or {"commonAnnotations": {"part": values.text()}})}
        overlay["components"] = ["../component"]
    if values.chance(30):
        overlay["generatorOptions"] = values.one(
            ({"disableNameSuffixHash": True}, {"labels": {"shared": "yes"}}, {"immutable": True})
        )
    if values.chance(50):
        names = []
    own = Layer(tree, "overlay", values, objects).changes(
        generators=("more",) if generated else ("settings",), merge=generated
    )
    tree.kustomizations["overlay"] = {**overlay, **own}
    return tree


def show(tree: Tree) -> str:
    """The tree as one text, for a failing example."""
    return json.dumps(tree.written(), indent=1).replace("\\n", "\n")

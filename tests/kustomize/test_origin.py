"""Exactly which line an origin is, for everything that can set, remove or lack a field."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.findings import Place
from policy.kustomize.origin import Origin, Origins
from policy.kustomize.sources import load_sources
from tests.kustomize.trees import Case, rendered, write

FILES = {
    "base/kustomization.yaml": """
        resources:
          - web.yaml
          - other.yaml
        configMapGenerator:
          - name: settings
            literals:
              - level=info
              - mode=fast
            files:
              - app.conf
            envs:
              - values.env
    """,
    "base/app.conf": "listen 80;\n",
    "base/values.env": "# first\nFROM_ENV=1\n",
    "base/web.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
          labels:
            app: web
            old: "1"
        spec:
          replicas: 1
          template:
            spec:
              containers:
                - image: web:1
                  name: app
                  env:
                    - name: LEVEL
                      valueFrom:
                        configMapKeyRef:
                          name: settings
                          key: level
                  resources:
                    limits:
                      cpu: 100m
                  livenessProbe:
                    httpGet: {path: /live, port: 80}
                  readinessProbe:
                    httpGet: {path: /ready, port: 80}
                - name: side
                  image: side:1
                  command: [run, slowly]
              tolerations:
                - key: a
    """,
    "base/other.yaml": """
        apiVersion: v1
        kind: Service
        metadata:
          name: web
        spec:
          ports:
            - port: 80
        ---
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata:
          name: web
        spec:
          scaleTargetRef:
            kind: Deployment
            name: web
    """,
    "overlay/kustomization.yaml": """
        resources:
          - ../base
        namespace: shop
        namePrefix: my-
        labels:
          - pairs:
              team: one
        commonAnnotations:
          contact: someone
        patches:
          - path: patch.yaml
          - target:
              kind: Deployment
            patch: |-
              - op: remove
                path: /spec/template/spec/containers/2/command
              - op: add
                path: /spec/paused
                value: true
          - target: {kind: Service}
            patch: '[{"op": "add", "path": "/spec/type", "value": "NodePort"}]'
        images:
          - name: web
            newTag: "2"
          - name: side
            newName: mirror/side
          - name: new
            digest: sha256:aa
        replicas:
          - name: web
            count: 3
        configMapGenerator:
          - name: settings
            behavior: merge
            literals:
              - mode=slow
    """,
    "overlay/patch.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
          labels:
            old: null
        spec:
          replicas: 2
          template:
            spec:
              terminationGracePeriodSeconds: 5
              containers:
                - name: new
                  image: new:1
                - name: app
                  livenessProbe: null
                  readinessProbe:
                    $patch: delete
                  resources:
                    limits:
                      memory: 1Gi
                    requests:
                      cpu: 50m
    """,
}

POD = ("spec", "template", "spec")
NEW, APP, SIDE = ((*POD, "containers", index) for index in range(3))
DEPLOYMENT = "Deployment/my-web"


@pytest.fixture(scope="module")
def case(kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(kustomize, tmp_path_factory.mktemp("case"), FILES)


KUSTOMIZATION = "overlay/kustomization.yaml"
SAYS: list[tuple[tuple[str | int, ...], str]] = [
    # what base states
    (("metadata", "labels", "app"), "base/web.yaml:6 'web' (resources[0])"),
    ((*APP, "name"), "base/web.yaml:14 'app' (resources[0])"),
    ((*APP, "resources", "limits", "cpu"), "base/web.yaml:23 '100m' (resources[0])"),
    ((*POD, "tolerations", 0, "key"), "base/web.yaml:32 'a' (resources[0])"),
    # what an overlay sets
    ((*POD, "terminationGracePeriodSeconds"), "overlay/patch.yaml:11 '5' (patches[0])"),
    ((*APP, "resources", "limits", "memory"), "overlay/patch.yaml:21 '1Gi' (patches[0])"),
    (("spec", "paused"), f"{KUSTOMIZATION}:19 'true' (patches[1])"),
    (("spec", "replicas"), f"{KUSTOMIZATION}:31 '3' (replicas[0])"),
    (("metadata", "namespace"), f"{KUSTOMIZATION}:3 'shop' (namespace)"),
    (("metadata", "name"), f"{KUSTOMIZATION}:4 'my-' (namePrefix)"),
    (("metadata", "labels", "team"), f"{KUSTOMIZATION}:7 'one' (labels[0])"),
    (("metadata", "annotations", "contact"), f"{KUSTOMIZATION}:9 'someone' (commonAnnotations)"),
    ((*POD, "metadata", "annotations"), "base/web.yaml:11 'spec' (resources[0])"),
    # images: the line of the entry that a reader would change
    ((*APP, "image"), f"""{KUSTOMIZATION}:24 '"2"' (images[0])"""),
    ((*SIDE, "image"), f"{KUSTOMIZATION}:26 'mirror/side' (images[1])"),
    ((*NEW, "image"), f"{KUSTOMIZATION}:27 'name' (images[2])"),
    # whole things: the line that names them
    ((), "base/web.yaml:4 'web' (resources[0])"),
    (APP, "base/web.yaml:14 'app' (resources[0])"),
    (NEW, "overlay/patch.yaml:13 'new' (patches[0])"),
    ((*APP, "resources"), "base/web.yaml:21 'resources' (resources[0])"),
    ((*APP, "resources", "requests"), "overlay/patch.yaml:22 'requests' (patches[0])"),
    # what a layer took away
    (("metadata", "labels", "old"), "overlay/patch.yaml:6 'null' (patches[0])"),
    ((*APP, "livenessProbe"), "overlay/patch.yaml:16 'null' (patches[0])"),
    ((*APP, "livenessProbe", "httpGet", "path"), "overlay/patch.yaml:16 'null' (patches[0])"),
    ((*APP, "readinessProbe"), "overlay/patch.yaml:18 'delete' (patches[0])"),
    ((*SIDE, "command"), f"{KUSTOMIZATION}:16 '/spec/template/spec/containers/2/command' (patches[1])"),
    # what never was: the innermost thing that base declares
    (("spec", "strategy"), "base/web.yaml:8 'spec' (resources[0])"),
    (("metadata", "ownerReferences"), "base/web.yaml:3 'metadata' (resources[0])"),
    (("status",), "base/web.yaml:4 'web' (resources[0])"),
    ((*POD, "securityContext", "runAsNonRoot"), "base/web.yaml:11 'spec' (resources[0])"),
    ((*APP, "startupProbe"), "base/web.yaml:14 'app' (resources[0])"),
    ((*SIDE, "resources", "limits"), "base/web.yaml:28 'side' (resources[0])"),
    ((*APP, "resources", "limits", "ephemeral-storage"), "base/web.yaml:22 'limits' (resources[0])"),
    ((*APP, "resources", "requests", "memory"), "base/web.yaml:21 'resources' (resources[0])"),
    ((*NEW, "readinessProbe"), "overlay/patch.yaml:13 'new' (patches[0])"),
    ((*POD, "tolerations", 0, "effect"), "base/web.yaml:32 'a' (resources[0])"),
    # a reference stays where it is written; its entry is the one that renamed what it refers to
    ((*APP, "env", 0, "valueFrom", "configMapKeyRef", "name"), "base/web.yaml:19 'settings' (configMapGenerator[0])"),
]


@pytest.mark.parametrize(("path", "wanted"), SAYS, ids=[".".join(map(str, path)) or "the object" for path, _ in SAYS])
def test_place(case: Case, path: tuple[str | int, ...], wanted: str) -> None:
    assert case.line(DEPLOYMENT, *path) == wanted


GENERATED = [
    (("data", "level"), "base/kustomization.yaml:7 'level=info' (configMapGenerator[0])"),
    (("data", "mode"), "overlay/kustomization.yaml:36 'mode=slow' (configMapGenerator[0])"),
    (("data", "app.conf"), "base/app.conf:1 'listen 80;' (configMapGenerator[0])"),
    (("data", "FROM_ENV"), "base/values.env:2 'FROM_ENV=1' (configMapGenerator[0])"),
    (("metadata", "name"), "base/kustomization.yaml:5 'settings' (configMapGenerator[0])"),
    (("data", "absent"), "base/kustomization.yaml:5 'name' (configMapGenerator[0])"),
    ((), "base/kustomization.yaml:5 'settings' (configMapGenerator[0])"),
]


@pytest.mark.parametrize(("path", "wanted"), GENERATED)
def test_place_in_what_is_generated(case: Case, path: tuple[str | int, ...], wanted: str) -> None:
    assert case.line("ConfigMap/my-settings-", *path) == wanted


def test_an_inline_patch_in_one_line_has_columns(case: Case) -> None:
    assert case.line("Service/my-web", "spec", "type") == f"""{KUSTOMIZATION}:21 '"NodePort"' (patches[2])"""


def test_a_reference_to_a_renamed_object(case: Case) -> None:
    told = case.line("HorizontalPodAutoscaler/my-web", "spec", "scaleTargetRef", "name")
    assert told == "base/other.yaml:16 'web' (namePrefix)"


def test_the_kustomization_of_an_entry(case: Case) -> None:
    origin = case.origin(DEPLOYMENT, "spec", "replicas")
    assert (origin.entry, origin.field, origin.kustomization) == ("replicas[0]", "replicas", KUSTOMIZATION)
    assert case.origin(DEPLOYMENT, "metadata", "labels", "app").kustomization == "base/kustomization.yaml"


def test_what_a_patch_added(case: Case) -> None:
    document = case.document(DEPLOYMENT)
    assert case.told(added(case, NEW)) == "overlay/patch.yaml:13 'new' (patches[0])"
    assert case.origins.added_by(document, APP) is None
    assert case.origins.added_by(document, (*POD, "containers", 7)) is None


def added(case: Case, path: tuple[str | int, ...]) -> Origin:
    origin = case.origins.added_by(case.document(DEPLOYMENT), path)
    assert origin is not None
    return origin


def test_another_value_than_ours_is_told_as_inexact(case: Case) -> None:
    document = {**case.document(DEPLOYMENT), "spec": {"replicas": 7, "absent": 1}}
    replicas, absent = (case.origins.place(document, ("spec", name)) for name in ("replicas", "absent"))
    assert (replicas.exact, replicas.place.file, replicas.place.line) == (False, KUSTOMIZATION, 31)
    assert (absent.exact, absent.place.file, absent.place.line) == (False, "base/web.yaml", 8)
    removed = case.origins.place({**document, "spec": {}}, ("spec", "replicas"))
    assert (removed.exact, removed.place.line) == (False, 31)
    true_is_not_one = case.origins.place({**document, "spec": {"paused": 1}}, ("spec", "paused"))
    assert not true_is_not_one.exact


def test_an_unknown_object_is_placed_at_the_kustomization(case: Case) -> None:
    document = {**case.document(DEPLOYMENT), "kind": "Other"}
    assert case.origins.place(document, ("spec",)) == Origin(Place(KUSTOMIZATION, 1), exact=False)


def test_list_items_are_found_by_name_when_the_order_is_another(case: Case) -> None:
    document = case.document(DEPLOYMENT)
    containers = list(reversed(document["spec"]["template"]["spec"]["containers"]))
    turned = {**document, "spec": {"template": {"spec": {"containers": containers}}}}
    origin = case.origins.place(turned, (*POD, "containers", 0, "name"))
    assert case.told(origin) == "base/web.yaml:28 'side' (resources[0])"


TWICE = {
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "base/a.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
          annotations:
            note: x
        data:
          one: "1"
    """,
    "overlay/kustomization.yaml": """
        resources:
          - ../base
        patches:
          - path: same.yaml
          - path: gone.yaml
          - path: back.yaml
    """,
    "overlay/same.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
        data:
          one: "1"
          two: "2"
    """,
    "overlay/gone.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
          annotations:
            note: null
        data: null
    """,
    "overlay/back.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: a
        data:
          one: "1"
    """,
}


def test_what_was_taken_away_and_put_back(kustomize: Path, tmp_path: Path) -> None:
    case = Case(kustomize, tmp_path, TWICE)
    assert case.line("ConfigMap/a", "data", "one") == """overlay/back.yaml:6 '"1"' (patches[2])"""
    assert case.line("ConfigMap/a", "data", "two") == "overlay/gone.yaml:7 'null' (patches[1])"
    assert case.line("ConfigMap/a", "data", "never") == "base/a.yaml:4 'a' (resources[0])"
    assert case.line("ConfigMap/a", "metadata", "annotations", "note") == "overlay/gone.yaml:6 'null' (patches[1])"
    assert case.line("ConfigMap/a", "metadata", "annotations", "never") == "base/a.yaml:3 'metadata' (resources[0])"


def test_the_last_line_that_says_a_value_is_its_origin(kustomize: Path, tmp_path: Path) -> None:
    files = {**TWICE, "overlay/kustomization.yaml": "resources: [../base]\npatches:\n  - path: same.yaml\n"}
    case = Case(kustomize, tmp_path, files)
    assert case.line("ConfigMap/a", "data", "one") == """overlay/same.yaml:6 '"1"' (patches[0])"""


def test_what_is_not_understood_is_never_exact(kustomize: Path, tmp_path: Path) -> None:
    files = {
        **TWICE,
        "overlay/kustomization.yaml": "resources: [../base]\ntransformers: [set.yaml]\n",
        "overlay/set.yaml": """
            apiVersion: builtin
            kind: NamespaceTransformer
            metadata: {name: any, namespace: elsewhere}
        """,
    }
    root = write(tmp_path, files)
    tree = load_sources(root / "overlay", root)
    (document,) = rendered(kustomize, root / "overlay").values()
    origins = Origins(tree)
    assert [what for _, what in tree.not_understood] == ["a transformer plugin"]
    assert origins.place(document, ("metadata", "namespace")) == Origin(
        Place("overlay/set.yaml", 3, 34, 43), exact=False
    )
    assert origins.place(document, ("data", "one")) == Origin(
        Place("base/a.yaml", 8, 8, 11), exact=False, entry="resources[0]", kustomization="base/kustomization.yaml"
    )


def test_an_object_that_no_plugin_may_have_made_is_nowhere(kustomize: Path, tmp_path: Path) -> None:
    root = write(tmp_path, TWICE)
    (document,) = rendered(kustomize, root / "overlay").values()
    document["metadata"]["name"] = "other"

    origin = Origins(load_sources(root / "overlay", root)).place(document, ("data",))

    assert origin == Origin(Place(KUSTOMIZATION, 1), exact=False)


def test_plain_manifests() -> None:
    text = """
kind: List
apiVersion: v1
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
    data: {one: "1"}
"""
    origins = Origins.from_text(text, file="a.yaml", first_line=10)
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"one": "1"}}
    assert origins.place(document, ("data", "one")) == Origin(Place("a.yaml", 17, 17, 20), exact=True)
    assert origins.place(document, ("data", "two")) == Origin(Place("a.yaml", 17, 5, 9), exact=True)
    assert origins.place(document, ("status",)) == Origin(Place("a.yaml", 16, 22, 23), exact=True)


BY_POSITION = {
    "base/kustomization.yaml": """
        resources: [web.yaml]
        patches:
          - path: first.yaml
    """,
    "base/web.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          template:
            spec:
              containers:
                - name: app
                  env:
                    - {name: A, value: a}
                    - {name: B, value: b}
                    - {name: C, value: c}
    """,
    "base/first.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          template:
            spec:
              containers:
                - name: app
                  env:
                    - {name: C, value: new}
    """,
    "overlay/kustomization.yaml": """
        resources: [../base]
        patches:
          - target: {kind: Deployment}
            patch: |-
              - op: replace
                path: /spec/template/spec/containers/0/env/0/value
                value: newest
    """,
}


def test_an_operation_reaches_the_item_that_an_earlier_patch_moved_to_its_position(
    kustomize: Path, tmp_path: Path
) -> None:
    case = Case(kustomize, tmp_path, BY_POSITION)
    env = (*POD, "containers", 0, "env")
    values = [case.line("Deployment/web", *env, index, "value") for index in range(3)]
    assert values == [
        "overlay/kustomization.yaml:7 'newest' (patches[0])",
        "base/web.yaml:10 'a' (resources[0])",
        "base/web.yaml:11 'b' (resources[0])",
    ]


def test_what_was_taken_away_is_not_in_a_later_copy(kustomize: Path, tmp_path: Path) -> None:
    files = {
        **TWICE,
        "overlay/kustomization.yaml": """
            resources:
              - ../base
            patches:
              - target: {kind: ConfigMap}
                patch: |-
                  - op: remove
                    path: /data/one
              - target: {kind: ConfigMap}
                patch: |-
                  - op: copy
                    from: /data
                    path: /metadata/copied
        """,
    }
    case = Case(kustomize, tmp_path, files)
    assert case.line("ConfigMap/a", "metadata", "copied") == f"{KUSTOMIZATION}:12 '/metadata/copied' (patches[1])"
    assert case.line("ConfigMap/a", "metadata", "copied", "one") == f"{KUSTOMIZATION}:7 '/data/one' (patches[0])"

"""Each feature of Kustomize that changes objects, by one small tree: ours is what the real binary renders."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.kustomize.trees import assert_same, write

DEPLOYMENT = """
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels: {app: web}
      annotations: {note: one, port: 80}
      finalizers: [a, b]
    spec:
      replicas: 1
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          serviceAccountName: web
          containers:
            - name: app
              image: nginx:1.0@sha256:aa
              env: [{name: A, value: "1"}, {name: B, value: "2"}]
              ports: [{containerPort: 80, protocol: TCP}, {containerPort: 80, protocol: UDP}]
              resources: {limits: {cpu: 1, memory: 1Gi}}
              volumeMounts: [{name: tmp, mountPath: /tmp}]
            - name: side
              image: reg.io:5000/nginx
          volumes:
            - {name: tmp, emptyDir: {}}
            - {name: conf, configMap: {name: settings}}
          tolerations: [{key: a}, {key: b}]
"""
SERVICES = """
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, protocol: TCP}]
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: web}
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: default}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: web}
    rules: [{apiGroups: [""], resources: [secrets], resourceNames: [files], verbs: [get]}]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: web}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
    subjects:
      - {kind: ServiceAccount, name: web}
      - {kind: ServiceAccount, name: default, namespace: other}
      - {kind: User, name: web}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: web}
    spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: web
      annotations: {nginx.ingress.kubernetes.io/auth-secret: files}
    spec:
      tls: [{secretName: files}]
      rules: [{host: a, http: {paths: [{backend: {service: {name: web, port: {number: 80}}}}]}}]
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      serviceName: web
      template: {spec: {containers: [{name: db, image: nginx, envFrom: [{configMapRef: {name: settings}}]}]}}
      volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: fast}}]
    ---
    apiVersion: example.com/v1
    kind: Widget
    metadata: {name: web}
    spec: {list: [{name: a, v: 1}, {name: b, v: 2}], image: nginx, containers: [{name: x, image: nginx:2}]}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: local, annotations: {config.kubernetes.io/local-config: "true"}}
"""


BASE = "resources: [deployment.yaml, services.yaml]\n"


def overlay(text: str, **files: str) -> dict[str, str]:
    named = {f"overlay/{name.replace('__', '/').replace('_', '.')}": content for name, content in files.items()}
    return {
        "base/kustomization.yaml": BASE,
        "base/deployment.yaml": DEPLOYMENT,
        "base/services.yaml": SERVICES,
        "overlay/kustomization.yaml": "resources: [../base]\n" + textwrap.dedent(text),
        **named,
    }


def patch(text: str, target: str = "") -> str:
    """A kustomization with one inline patch."""
    body = textwrap.indent(textwrap.dedent(text).strip("\n"), "      ")
    return f"patches:\n  - {f'target: {target}' if target else 'options: {}'}\n    patch: |-\n{body}\n"


WEB = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"


def to_container(text: str) -> str:
    """A strategic merge patch of the container ``app``."""
    head = f"{WEB}spec:\n  template:\n    spec:\n      containers:\n"
    return patch(
        head + textwrap.indent("- name: app\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), "  "), "        ")
    )


def to_deployment(text: str, target: str = "") -> str:
    return patch(WEB + textwrap.dedent(text).strip("\n"), target)


GENERATORS = """
    configMapGenerator:
      - name: settings
        literals: [a=1, "b='quoted'", c=x=y]
        files: [conf.d/a.conf, renamed.conf=conf.d/a.conf, binary.bin]
        envs: [some.env]
    secretGenerator:
      - name: files
        type: kubernetes.io/basic-auth
        literals: [user=someone]
        options: {labels: {own: x}, annotations: {own: mine}, immutable: true}
    generatorOptions: {labels: {shared: z}}
"""
GENERATED_FILES = {
    "conf.d__a_conf": "listen 80;\n<&> \u2028\n",
    "binary_bin": "x",
    "some_env": "# c\nE1=v\n E2=a=b\nE3\n",
}

CASES: dict[str, dict[str, str]] = {
    "nothing": overlay("sortOptions: {order: fifo}"),
    "namespace": overlay("namespace: other"),
    "prefix and suffix": overlay("namePrefix: pre-\nnameSuffix: -post"),
    "common labels": overlay("commonLabels: {team: one, app: two}"),
    "labels": overlay("labels: [{pairs: {team: one}}]"),
    "labels in selectors": overlay("labels: [{pairs: {team: one, app: x}, includeSelectors: true}]"),
    "labels in templates": overlay("labels: [{pairs: {team: one, app: x}, includeTemplates: true}]"),
    "labels in claims": overlay("labels: [{pairs: {team: one}, includeVolumeClaimTemplates: true}]"),
    "labels in own fields": overlay(
        """
        labels:
          - pairs: {team: one}
            fields: [{path: spec/made/labels, kind: Widget, create: true}, {path: spec/selector, kind: Service}]
        """
    ),
    "annotations": overlay("commonAnnotations: {note: two, more: three}"),
    "images": overlay(
        """
        images:
          - {name: nginx, newTag: "2"}
          - {name: reg.io:5000/nginx, newName: mirror/nginx, digest: sha256:bb}
          - {name: nginx, tagSuffix: -alpine}
          - {name: absent, newTag: "3"}
        """
    ),
    "replicas": overlay("replicas: [{name: web, count: 3}, {name: db, count: 0}]"),
    "generators": overlay(GENERATORS, **GENERATED_FILES),
    "generators with namespace and prefix": overlay(
        "namespace: other\nnamePrefix: pre-\n" + textwrap.dedent(GENERATORS), **GENERATED_FILES
    ),
    "no hashes": overlay(
        GENERATORS.replace("generatorOptions: {", "generatorOptions: {disableNameSuffixHash: true, "), **GENERATED_FILES
    ),
    "merge: scalars and null": overlay(
        to_deployment("spec: {replicas: 5, selector: null, paused: true, absent: null}")
    ),
    "merge: annotations taken away": overlay(
        "namePrefix: pre-\n" + to_deployment("metadata: {name: web, annotations: null}")
    ),
    "merge: metadata": overlay(
        to_deployment("metadata: {name: web, labels: {app: null, new: x}, annotations: {note: null}}")
    ),
    "merge: metadata by target": overlay(
        to_deployment(
            "metadata: {name: other, labels: {app: null, new: 1}, annotations: {note: ~}}", "{kind: Deployment}"
        )
    ),
    "merge: finalizers": overlay(to_deployment("metadata: {name: web, finalizers: [c, b]}")),
    "merge: a container by name": overlay(to_container("image: other")),
    "merge: environment": overlay(
        to_container("env: [{name: C, value: '3'}, {name: A, $patch: delete}, {name: B, value: x}]")
    ),
    "merge: environment replaced": overlay(to_container("env: [{name: C, value: '3'}, {$patch: replace}]")),
    "merge: environment deleted": overlay(to_container("env: [{$patch: delete}]")),
    "merge: ports": overlay(
        to_container("ports: [{containerPort: 80, protocol: UDP, name: dns}, {containerPort: 81, protocol: TCP}]")
    ),
    "merge: a port without protocol": overlay(to_container("ports: [{containerPort: 80, name: x}]")),
    "merge: mounts": overlay(
        to_container("volumeMounts: [{mountPath: /tmp, readOnly: true}, {mountPath: /new, name: conf}]")
    ),
    "merge: a map replaced": overlay(to_container("resources: {$patch: replace, requests: {cpu: 2}}")),
    "merge: a map deleted": overlay(to_container("resources: {$patch: delete}")),
    "merge: a map emptied": overlay(to_container("resources: {limits: {cpu: null, memory: null}}")),
    "merge: a container replaced": overlay(to_container("$patch: replace\nimage: other")),
    "merge: a container deleted": overlay(to_container("$patch: delete")),
    "merge: a container added": overlay(
        to_deployment(
            "spec: {template: {spec: {containers: [{name: new, image: x, env: null, resources: {a: null}}]}}}"
        )
    ),
    "merge: an atomic list": overlay(to_deployment("spec: {template: {spec: {tolerations: [{key: c}, {key: null}]}}}")),
    "merge: volumes": overlay(
        to_deployment("spec: {template: {spec: {volumes: [{name: tmp, emptyDir: null, secret: {secretName: x}}]}}}")
    ),
    "merge: an object deleted": overlay(to_deployment("$patch: delete")),
    "merge: an object deleted by target": overlay(to_deployment("$patch: delete", "{kind: Deployment}")),
    "merge: an object replaced": overlay(to_deployment("$patch: replace\nspec: {replicas: 9}")),
    "merge: a custom resource": overlay(
        patch(
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: web}\nspec: {list: [{name: b, v: 3}], extra: 1}"
        )
    ),
    "merge: many documents": overlay(
        "patches: [{path: many.yaml}]",
        many_yaml="""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web}
            spec: {replicas: 4}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {ports: [{port: 80, protocol: TCP, targetPort: 8080}]}
        """,
    ),
    "merge: with a new name": overlay(
        "patches:\n  - target: {kind: Service}\n    options: {allowNameChange: true}\n"
        "    patch: |\n      apiVersion: v1\n      kind: Service\n      metadata: {name: renamed}\n"
    ),
    "patchesStrategicMerge": overlay(
        """
        patchesStrategicMerge:
          - file.yaml
          - |-
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {type: NodePort}
        """,
        file_yaml="""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, labels: {app: 1}}
            spec: {replicas: 6}
        """,
    ),
    "patchesJson6902": overlay(
        """
        labels: [{pairs: {late: x}}]
        patchesJson6902:
          - target: {group: apps, version: v1, kind: Deployment, name: web}
            path: ops.json
        """,
        ops_json='[{"op": "replace", "path": "/metadata/labels/late", "value": "y"}]',
    ),
    "operations": overlay(
        patch(
            """
            - {op: test, path: /spec/replicas, value: 1}
            - {op: replace, path: /spec/replicas, value: 7}
            - {op: add, path: /spec/template/spec/tolerations/-, value: {key: last}}
            - {op: add, path: /spec/template/spec/tolerations/0, value: {key: first}}
            - {op: remove, path: /spec/template/spec/containers/1}
            - {op: remove, path: /spec/template/spec/containers/0/env/-1}
            - {op: copy, from: /metadata/labels, path: /metadata/annotations/copied~1labels~0}
            - {op: move, from: /spec/selector, path: /spec/moved}
            - {op: add, path: /spec/yes, value: yes}
            - {op: add, path: /metadata/labels/new, value: "8080"}
            """,
            "{kind: Deployment, name: w.b}",
        )
    ),
    "operations make annotations": overlay(
        patch("- {op: add, path: /metadata/annotations/new, value: x}", "{kind: Service}")
    ),
    "operations by label": overlay(
        patch("- {op: add, path: /spec/new, value: 1}", "{labelSelector: 'app in (web, x),!y'}")
    ),
    "operations by annotation": overlay(
        patch("- {op: add, path: /spec/new, value: 1}", "{annotationSelector: note=one}")
    ),
    "operations by namespace": overlay(
        "namespace: other\n" + patch("- {op: add, path: /spec/new, value: 1}", "{kind: Deployment, namespace: default}")
    ),
    "replacements": overlay(
        """
        replacements:
          - path: more.yaml
          - source:
              kind: Deployment
              name: web
              fieldPath: spec.template.spec.containers.0.image
              options: {delimiter: ":", index: 1}
            targets:
              - select: {kind: Service}
                fieldPaths: [metadata.annotations.version]
                options: {create: true}
              - select: {kind: StatefulSet}
                fieldPaths: ["spec.template.spec.containers.[name=db].image"]
                options: {delimiter: ":", index: 1}
        """,
        more_yaml="""
            - source: {kind: Service, fieldPath: spec.selector.app}
              targets:
                - select: {kind: Deployment}
                  reject: [{name: absent}]
                  fieldPaths: ["spec.template.spec.containers.*.env.[name=A].value", metadata.labels.app]
            - sourceValue: fixed
              targets:
                - select: {kind: Ingress}
                  fieldPaths: [spec.rules.0.host]
        """.replace("containers.*.env", "containers.[name=app].env"),
    ),
    "a component": {
        **overlay("components: [../part]\nreplicas: [{name: web, count: 4}]"),
        "part/kustomization.yaml": """
            apiVersion: kustomize.config.k8s.io/v1alpha1
            kind: Component
            namespace: part
            configMapGenerator: [{name: settings, literals: [a=1]}]
            patches: [{target: {kind: Deployment}, patch: "- {op: replace, path: /spec/replicas, value: 3}"}]
        """,
    },
    "generators that merge": {
        **overlay(
            "configMapGenerator: [{name: settings, behavior: merge, literals: [b=3, c=4], options: {labels: {l: x}}}]"
        ),
        "base/kustomization.yaml": """
            resources: [deployment.yaml, services.yaml]
            namePrefix: pre-
            configMapGenerator: [{name: settings, literals: [a=1, b=2]}]
        """,
    },
    "generators that replace": {
        **overlay("configMapGenerator: [{name: settings, behavior: replace, literals: [b=3]}]"),
        "base/kustomization.yaml": f"{BASE}configMapGenerator: [{{name: settings, literals: [a=1]}}]",
    },
    "a secret of texts that is merged": {
        **overlay("secretGenerator: [{name: s, behavior: merge, literals: [b=3]}]"),
        "base/deployment.yaml": """
            apiVersion: v1
            kind: Secret
            metadata: {name: s}
            type: Opaque
            stringData: {a: "1", b: "2"}
        """,
    },
    "anchors": {
        **overlay("namespace: x"),
        "base/deployment.yaml": """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: a, labels: &labels {app: web, tier: one}, annotations: {<<: *labels, tier: two}}
            data: {<<: [*labels, {tier: three, more: four}], own: "5"}
        """,
    },
    "lists": {
        **overlay("namespace: x"),
        "base/deployment.yaml": """
            apiVersion: v1
            kind: List
            items:
              - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
              - {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]}
        """,
    },
    "JSON, carriage returns and a byte order mark": {
        **overlay("namespace: x"),
        "base/deployment.yaml": (
            '\ufeff{"apiVersion": "v1",\r\n "kind": "ConfigMap",\r\n'
            '\t"metadata": {"name": "a"}, "data": {"a": "b\\nc"}}\r\n'
        ),
    },
    "names by any case": {
        **overlay(""),
        "overlay/kustomization.yaml": "Resources: [../base]\nNameprefix: pre-\n",
    },
    "a label of a shared value changed in one place": {
        **overlay(to_deployment("spec: {template: {metadata: {labels: {team: two}}}}")),
        "base/kustomization.yaml": f"{BASE}labels: [{{pairs: {{team: one}}, includeSelectors: true}}]",
    },
    "null and empty": {
        **overlay(to_deployment("spec: {replicas: 2}")),
        "base/deployment.yaml": """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, annotations: {}}
            spec:
              template:
                spec:
                  volumes: [{name: a, emptyDir: }]
                  a:
                  b: null
                  c: ~
                  containers: null
        """,
    },
}


@pytest.mark.parametrize("name", CASES)
def test_feature(kustomize: Path, tmp_path: Path, name: str) -> None:
    assert_same(kustomize, write(tmp_path, CASES[name]) / "overlay", tmp_path)


SCALARS = """
    0644 0o17 0x1F 0b101 -0b11 1_000 1__0 +12 -12 12345678901234567890 99999999999999999999 1. .5 1.5e3 1e3 -1E-2 +.5
    ~ null Null NULL nil true True TRUE tRUE false yes Yes no on off y n 1:30 190:20:30.15 08 09 010 0o8 0xg 1.2.3 1.0
    2001-01-01 2001-1-1 2001-13-01 2001-01-01T10:20:30Z 2001-01-01t10:20:30.5+02:00 2001-01-01T10:20:30 100m 0.1.2
    -a .a ._ 1e 0. 00 0_7
"""


def test_scalars(kustomize: Path, tmp_path: Path) -> None:
    data = "".join(f"  k{number}: {text}\n" for number, text in enumerate(SCALARS.split()))
    quoted = "  q: '0644'\n  t: !!str 5\n  f: !!float 5\n  b: |\n    0644\n"
    manifest = f"apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: a}}\nspec:\n{data}{quoted}"
    write(tmp_path, {"o/kustomization.yaml": "resources: [a.yaml]", "o/a.yaml": manifest})
    assert_same(kustomize, tmp_path / "o", tmp_path)

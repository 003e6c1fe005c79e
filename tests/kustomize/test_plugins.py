"""In which line what transformers and generators do is placed, whose work is not done over."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.kustomize.origin import Origins
from policy.kustomize.sources import load_sources
from tests.kustomize.trees import rendered, write

PLUGINS = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          template:
            spec:
              containers:
                - name: app
                  image: web:1
    """,
    "overlay/kustomization.yaml": """
        resources: [../base]
        generators: [made.yaml]
        transformers:
          - changed.yaml
          - |-
            apiVersion: builtin
            kind: ImageTagTransformer
            metadata: {name: image}
            imageTag:
              name: web
              newTag: latest
    """,
    "overlay/made.yaml": """
        apiVersion: builtin
        kind: ConfigMapGenerator
        metadata:
          name: settings
        literals: [a=b]
    """,
    "overlay/changed.yaml": """
        apiVersion: builtin
        kind: PrefixSuffixTransformer
        metadata: {name: names}
        prefix: dev-
        fieldSpecs: [{path: metadata/name}]
        ---
        apiVersion: builtin
        kind: PatchTransformer
        metadata: {name: patch}
        target: {kind: Deployment}
        patch: |-
          - op: add
            path: /spec/template/spec/hostNetwork
            value: true
        ---
        apiVersion: builtin
        kind: ReplicaCountTransformer
        metadata: {name: count}
        replica: {name: dev-web, count: 1}
        fieldSpecs: [{path: spec/replicas, create: true}]
        ---
        apiVersion: builtin
        kind: PatchTransformer
        metadata: {name: unsaid}
        target: {kind: Deployment}
        patch: '[{"op": "add", "path": "/spec/minReadySeconds", "value": 5}]'
    """,
}


@pytest.mark.parametrize(
    ("name", "path", "line"),
    [
        pytest.param("dev-web", ("spec", "replicas"), "overlay/changed.yaml:19", id="a value in two documents"),
        pytest.param("dev-web", ("spec", "template", "spec", "hostNetwork"), "overlay/changed.yaml:14", id="a patch"),
        pytest.param(
            "dev-web",
            ("spec", "template", "spec", "containers", 0, "image"),
            "overlay/kustomization.yaml:11",
            id="the tag of an image",
        ),
        pytest.param(
            "dev-web",
            ("spec", "template", "spec", "containers", 0, "livenessProbe"),
            "base/web.yaml:8",
            id="what nobody has changed",
        ),
        pytest.param("dev-web", ("metadata", "name"), "overlay/changed.yaml:1", id="a path that one of them names"),
        pytest.param("dev-web", ("spec", "minReadySeconds"), "overlay/kustomization.yaml:4", id="what nothing states"),
        pytest.param("dev-web", ("metadata", "labels"), "base/web.yaml:3", id="what is not there"),
        pytest.param("dev-web", ("spec",), "base/web.yaml:4", id="a mapping in which something is changed"),
        pytest.param("dev-settings", ("data", "a"), "overlay/made.yaml:4", id="a generated object"),
    ],
)
def test_what_transformers_and_generators_do_is_placed_in_them(
    name: str, path: tuple[str | int, ...], line: str, kustomize: Path, tmp_path: Path
) -> None:
    root = write(tmp_path, PLUGINS)
    documents = rendered(kustomize, root / "overlay").values()
    (document,) = [each for each in documents if each["metadata"]["name"].startswith(name)]

    origin = Origins(load_sources(root / "overlay", root)).place(document, path)

    assert (str(origin.place), origin.exact) == (line, False)

"""Repositories of the usual shapes, none of which is this one."""

from __future__ import annotations

import textwrap
from pathlib import Path


def write(root: Path, files: dict[str, str]) -> Path:
    """Writes the files, each path relative to ``root``, which becomes a Git repository."""
    (root / ".git").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def deployment(name: str, *, image: str = "ghcr.io/acme/web:1", extra: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: app
          image: {image}
{textwrap.indent(extra, " " * 10)}"""


def kustomization(*resources: str, more: str = "") -> str:
    return "resources:\n" + "".join(f"- {entry}\n" for entry in resources) + textwrap.dedent(more)


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
spec:
  project: default
  source: {repoURL: https://git.example.org/shop.git, path: overlays/dev}
  destination: {server: https://kubernetes.default.svc, namespace: web}
"""

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.org
spec:
  group: example.org
  names:
    kind: Widget
    plural: widgets
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}}}
"""

OLD_DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1beta1
kind: CustomResourceDefinition
metadata: {name: olds.example.org}
spec: {group: example.org, version: v1, names: {kind: Old, plural: olds}}
"""


def overlays(root: Path) -> Path:
    """One application: a base, and an overlay for each environment."""
    stages = ("prod", "dev", "staging", "qa")
    return write(
        root,
        {
            "base/web.yaml": deployment("web"),
            "base/kustomization.yaml": kustomization("web.yaml"),
            **{f"overlays/{stage}/kustomization.yaml": kustomization("../../base") for stage in stages},
        },
    )


def applications(root: Path) -> Path:
    """Several applications, each with a base and overlays of the same names; Argo CD's objects; definitions."""
    files = {
        "argocd/web.yaml": APPLICATION,
        "crds/widget.yaml": DEFINITION,
        "crds/old.yaml": OLD_DEFINITION,
        "definitions/gadget.yaml": DEFINITION.replace("Widget", "Gadget").replace("widgets", "gadgets"),
        "bundle.yaml": f"{DEFINITION}---\n{deployment('operator')}",
    }
    for name in ("shop", "blog"):
        files[f"apps/{name}/base/deployment.yaml"] = deployment(name, image=f"registry.example.org:5000/{name}/app:1")
        files[f"apps/{name}/base/kustomization.yaml"] = kustomization("deployment.yaml")
        for stage in ("production", "dev"):
            files[f"apps/{name}/overlays/{stage}/kustomization.yaml"] = kustomization("../../base")
    return write(root, files)


def flat(root: Path) -> Path:
    """Plain manifests, and files of tools that look like some."""
    return write(
        root,
        {
            "k8s/web.yaml": deployment("web"),
            "k8s/more/api.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api"}}',
            "compose.yaml": "services: {}\n",
            "catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: web}\n",
            "skaffold.yaml": "apiVersion: skaffold/v4beta11\nkind: Config\n",
        },
    )


def chart(root: Path, folder: str = "charts/web") -> Path:
    """A Helm chart."""
    return write(
        root,
        {
            f"{folder}/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            f"{folder}/values.yaml": "replicas: 1\n",
            f"{folder}/templates/web.yaml": deployment("{{ .Release.Name }}"),
            f"{folder}/crds/gizmo.yaml": DEFINITION.replace("Widget", "Gizmo").replace("widgets", "gizmos"),
        },
    )


def monorepo(root: Path) -> Path:
    """An overlay among much else: charts, packages, pipelines, settings with comments."""
    chart(root)
    return write(
        root,
        {
            "deploy/base/web.yaml": deployment("web"),
            "deploy/base/kustomization.yaml": kustomization("web.yaml"),
            "deploy/overlays/prod/kustomization.yaml": kustomization("../../base"),
            "k8s/job.yaml": deployment("job"),
            "node_modules/lib/manifest.yaml": deployment("lib"),
            "package.json": '{"name": "shop"}',
            "tsconfig.json": '// as usual\n{"compilerOptions": {},}\n',
            ".github/workflows/ci.yaml": "on: push\njobs: {}\n",
            ".venv/lib/site.yaml": deployment("venv"),
        },
    )

"""What most tests change: the frontend of dev, by its overlay."""

from __future__ import annotations

import re

from cluster.kubectl import Object
from tests.e2e.live import DEV, Live

KUSTOMIZATION = "overlays/dev/kustomization.yaml"


def container(workload: Object, number: int = 0) -> Object:
    found: Object = workload["spec"]["template"]["spec"]["containers"][number]
    return found


def frontend(live: Live) -> Object:
    """Its Deployment in dev."""
    found = live.kubectl.get("deployment", "frontend", DEV)
    assert found is not None
    return found


def with_image(kustomization: str, digest: str) -> str:
    """The text of an overlay, with another digest for the frontend."""
    return re.sub(r"(- name: frontend\n(?:    .*\n)*?    digest: ).*", rf"\g<1>{digest}", kustomization)


def with_limit(kustomization: str, memory: str) -> str:
    """The text of an overlay, with another memory limit for the frontend."""
    limit = f"op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: {memory}"
    patch = f"  - target:\n      kind: Deployment\n      name: frontend\n    patch: |-\n      - {{{limit}}}\n"
    return kustomization.replace("patches:\n", f"patches:\n{patch}", 1)


def with_replicas(kustomization: str, count: int) -> str:
    """The text of an overlay that says no number of replicas, with one for the frontend."""
    return f"{kustomization}replicas:\n  - name: frontend\n    count: {count}\n"

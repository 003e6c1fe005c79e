"""What a project does not allow is refused with a reason, and what does not render leaves alone what runs."""

from __future__ import annotations

import pytest

from cluster.kubectl import Object
from tests.e2e.frontend import KUSTOMIZATION
from tests.e2e.live import DEV, ENVIRONMENTS, Live, conditions

CLUSTER_ROLE = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: everything
rules:
  - apiGroups: ["*"]
    resources: ["*"]
    verbs: ["*"]
"""


def refusal(live: Live, *words: str) -> str:
    """What Argo CD says of dev, once it says all these words."""

    def said() -> str | None:
        application = live.application("dev")
        state = application["status"].get("operationState", {})
        resources = (state.get("syncResult") or {}).get("resources") or []
        messages = [
            *conditions(application).values(),
            state.get("message", ""),
            *(one.get("message", "") for one in resources),
        ]
        text = "\n".join(messages)
        return text if all(word in text for word in words) else None

    text: str = live.wait_for(f"Argo CD refuses with {words}", said)
    return text


def test_cluster_role_and_foreign_namespace_are_refused(dev: Live) -> None:
    """In one push: each is told by its name. The next commit is tried when Argo CD would have tried this one again."""
    before = dev.generations("staging")
    dev.edit("overlays/dev/cluster-role.yaml", lambda _: CLUSTER_ROLE)
    dev.edit(KUSTOMIZATION, lambda text: text.replace("  - ../../base\n", "  - ../../base\n  - cluster-role.yaml\n"))
    dev.edit(KUSTOMIZATION, lambda text: text.replace("namespace: ecommerce-dev", "namespace: ecommerce-staging"))
    dev.push("A role that may do everything, and dev in the place of staging")
    refusal(
        dev,
        "ClusterRole is not permitted in project ecommerce-dev",
        "namespace ecommerce-staging is not permitted in project 'ecommerce-dev'",
    )
    assert dev.kubectl.get("clusterrole", "everything") is None
    assert dev.generations("staging") == before
    dev.wait_synced("dev", dev.revert())


def test_other_repository_is_refused(deployed: Live) -> None:
    """Not by a push: argocd/kustomization.yaml gives every Application the one URL. So by someone with kubectl."""
    destination = {"server": "https://kubernetes.default.svc", "namespace": DEV}
    source = {"repoURL": "https://example.test/another.git", "targetRevision": "main", "path": "."}
    stray: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "stray", "namespace": "argocd"},
        "spec": {"project": "ecommerce-dev", "source": source, "destination": destination},
    }
    deployed.kubectl.apply(stray)
    try:

        def said() -> str | None:
            found = deployed.kubectl.get("applications.argoproj.io", "stray", "argocd")
            return conditions(found).get("InvalidSpecError") if found else None

        message = deployed.wait_for("Argo CD refuses the repository", said)
        assert "https://example.test/another.git is not permitted in project 'ecommerce-dev'" in message
    finally:
        deployed.kubectl.run("delete", "applications.argoproj.io", "stray", "--namespace", "argocd")


@pytest.mark.parametrize(
    "broken",
    ["resources:\n  - no-such-folder\n", "resources: [\n"],
    ids=["names what is not there", "is not YAML"],
)
def test_push_that_does_not_render_leaves_everything_alone(dev: Live, broken: str) -> None:
    before = {environment: dev.generations(environment) for environment in ENVIRONMENTS}
    dev.edit(KUSTOMIZATION, lambda _: broken)
    dev.push("Not a kustomization")

    def said() -> str | None:
        return conditions(dev.application("dev")).get("ComparisonError")

    assert "kustomize build" in dev.wait_for("Argo CD says that it cannot render", said)
    assert {environment: dev.generations(environment) for environment in ENVIRONMENTS} == before
    dev.wait_synced("dev", dev.revert())
    assert dev.generations("dev") == before["dev"]

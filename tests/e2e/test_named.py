"""What is done to a cluster that somebody names: nothing if it is in use, and all of it is undone afterwards.

Here its Argo CD is installed as pods, which kwok calls running; that it then deploys is what all the other tests show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.argocd import SERVER
from cluster.errors import ClusterError
from cluster.fake_node import start_fake_node
from cluster.kubectl import Kubectl
from cluster.named import NamedCluster
from cluster.state import State
from cluster.tier import Cluster
from tests.e2e.live import DEV, left_behind, run_cluster

pytestmark = pytest.mark.own_cluster(reason="it is about a cluster that is named and thrown away")
NOWHERE = "https://127.0.0.1:1"
CONTEXT = "local"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Cluster]:
    """Somebody's cluster: Kubernetes and a node, and no Argo CD."""
    there = Cluster(State(tmp_path / "there"))
    try:
        there.state.folder.mkdir()
        there.state.choose_ports()
        there.control_plane.start(there.kubectl)
        start_fake_node(there.state, there.kubectl, there.tools)
        yield there
    finally:
        done = run_cluster("down", "--state", there.state.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(tmp_path) == []


def everything(kubectl: Kubectl) -> set[str]:
    """By name: all that has no namespace, and what the namespaces of the cluster hold that outlives its pods."""
    kinds = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,configmaps,secrets,serviceaccounts"
    objects = kubectl.list(kinds)
    return {f"{one['kind']} {one['metadata'].get('namespace', '')} {one['metadata']['name']}" for one in objects}


def test_named_cluster_is_as_it_was_afterwards(bare: Cluster, tmp_path: Path) -> None:
    kubectl, kubeconfig = bare.kubectl, str(bare.state.kubeconfig)
    before = everything(kubectl)
    stranger = NamedCluster(State(tmp_path / "stranger"), "no-such-context")
    with pytest.raises(ClusterError, match="no-such-context"):
        stranger.up(kubeconfig)
    stranger.down()
    assert everything(kubectl) == before

    named = NamedCluster(State(tmp_path / "here", argocd_url=NOWHERE), CONTEXT)
    try:
        named.up(kubeconfig)
        server = kubectl.get("deployment", SERVER, "argocd")
        assert server is not None
        assert server["status"]["readyReplicas"] == 1
        found = {one["metadata"]["name"] for one in kubectl.list("applications.argoproj.io", "argocd")}
        assert {"argocd", "ecommerce-dev", "ecommerce-staging", "ecommerce-prod"} == found

        another = NamedCluster(State(tmp_path / "another"), CONTEXT)
        with pytest.raises(ClusterError, match=r"has the Application \S+: nothing was touched"):
            another.up(kubeconfig)
        another.down()
        kubectl.run("create", "namespace", DEV)  # as Argo CD would
        with pytest.raises(ClusterError, match=f"has the namespace {DEV}, which would be deleted: nothing was touched"):
            another.up(kubeconfig)
        another.down()
        assert kubectl.get("namespace", DEV) is not None
    finally:
        named.down()
    assert everything(kubectl) == before
    assert not named.state.folder.exists()

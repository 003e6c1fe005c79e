"""What is done to a cluster that somebody names: nothing if it is in use, and all of it is undone afterwards.

Here its Argo CD is installed as pods, which kwok calls running; that it then deploys is what all the other tests show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.argocd import SERVER
from cluster.commands import run
from cluster.errors import ClusterError
from cluster.fake_node import start_fake_node
from cluster.kubectl import Kubectl, Object
from cluster.named import RESTARTED, NamedCluster
from cluster.repository import ROOT
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

        with pytest.raises(ClusterError, match="take it down first"):
            NamedCluster(named.state, "another-context").up(kubeconfig)
        here = run_cluster("up", "--no-pods", "--state", named.state.folder)
        assert (here.returncode, here.stdout) == (2, "")
        assert "take it down first" in here.stderr

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
        delete_in_two_tries(named, bare)
    assert everything(kubectl) == before


def delete_in_two_tries(named: NamedCluster, bare: Cluster) -> None:
    """Whatever was pushed meanwhile, by this process or by a person."""
    folder = named.state.folder
    (named.state.clone / "argocd" / "kustomization.yaml").write_text("resources: []\n")
    bare.state.process("kube-apiserver").kill()
    again = f"`python -m cluster down --state {folder}` tries again"
    with pytest.raises(ClusterError, match=f"(?s)not all is deleted in the cluster of {CONTEXT}: .*; {again}"):
        named.down()
    assert left_behind(folder) == []
    bare.control_plane.start(bare.kubectl)
    done = run_cluster("down", "--state", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "everything is ended and deleted\n", "")
    assert not folder.exists()


def test_what_reads_a_setting_at_its_start_is_restarted() -> None:
    """No more, no less: by the manifests of the installation and the settings of argocd/, here and in the README."""
    kustomize, tools = ROOT / ".tools" / "bin" / "kustomize", ROOT / ".tools"
    installed = objects(kustomize, tools / "argocd-installation" / "manifests" / "cluster-install")
    settings = {
        (one["metadata"]["name"], key)
        for one in objects(kustomize, ROOT / "argocd")
        if one["kind"] == "ConfigMap"
        for key in one["data"]
    }
    restarted = {
        f"{one['kind'].lower()}/{one['metadata']['name']}"
        for one in installed
        if one["kind"] in ("Deployment", "StatefulSet") and settings & set(read_at_start(one))
    }
    assert restarted == set(RESTARTED)
    command = f"kubectl rollout restart -n argocd {' '.join(RESTARTED)}\n"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def objects(kustomize: Path, folder: Path) -> list[Object]:
    return list(yaml.load_all(run(kustomize, "build", folder), Loader=yaml.CSafeLoader))


def read_at_start(workload: Object) -> Iterator[tuple[str, str]]:
    """ConfigMap and key of every environment variable that comes of one."""
    for container in workload["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env", ()):
            reference = variable.get("valueFrom", {}).get("configMapKeyRef")
            if reference is not None:
                yield reference["name"], reference["key"]

"""A cluster that somebody names, with real pods and no Argo CD: the pinned one is installed as pods, and deploys.

Its image is pulled, its API answers through a forwarded port, and it reads Git from this machine's server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.argocd import CONTROLLER, NAMESPACE, REPO_SERVER, SERVER
from cluster.images import provide_images, push_image, push_images, use_images
from cluster.machine import ADDRESS
from cluster.named import NamedCluster
from cluster.namespaces import in_network
from cluster.node import NAME as REAL
from cluster.pod_tier import TOOLS, PodCluster
from cluster.repository import ROOT, git, push_checkout, start_git_server
from cluster.requirements import require
from cluster.state import State
from tests.e2e.frontend import KUSTOMIZATION, frontend, with_replicas
from tests.e2e.live import Live, run_cluster
from tests.live.full import is_ready, left_behind
from tests.live.installation import make_installation
from tools.build import provide


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[PodCluster]:
    """Somebody's cluster without Argo CD, which can pull its images, and this process in its network."""
    there = PodCluster(State(tmp_path / "there"))
    there.state.folder.mkdir()
    # As `up` does; here without its last step.
    with in_network(os.getppid()):
        require()
        provide(ROOT, TOOLS)
        images = make_installation(there.tools)
        try:
            there.prepare()
            for what, start in there.steps(empty=True):
                if what != "Argo CD":
                    start()
            for name, folder in images.items():
                push_image(there.state, there.tools, folder, name.partition("/")[2])
            yield there
        finally:
            done = run_cluster("down", "--state", there.state.folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert left_behind(tmp_path) == []


@pytest.fixture
def named(bare: PodCluster, tmp_path: Path) -> Iterator[NamedCluster]:
    """With this checkout's last commit, by images that the cluster can pull: as if it had been told of them."""
    images = push_images(bare.state, bare.tools, provide_images(bare.tools))
    state = State(tmp_path / "here", git_host=ADDRESS, argocd_scheme="https")
    there = NamedCluster(state, "local")
    try:
        state.folder.mkdir()
        state.choose_ports()
        start_git_server(state)
        push_checkout(state)
        use_images(state, bare.tools, images)
        yield there
    finally:
        there.down()


def test_argo_cd_is_installed_as_pods_and_deploys(bare: PodCluster, named: NamedCluster) -> None:
    live, before = Live(named, started=time.monotonic()), namespaces(bare)
    named.up(str(bare.state.kubeconfig))
    assert namespaces(bare) > before
    pods = {
        one["metadata"]["labels"]["app.kubernetes.io/name"]: one
        for one in bare.kubectl.list("pods", NAMESPACE)
        if "deletionTimestamp" not in one["metadata"]  # those that were restarted may take a while to go
    }
    for name in (CONTROLLER, REPO_SERVER, SERVER, "argocd-redis"):
        assert is_ready(pods[name])
        assert pods[name]["spec"]["nodeName"] == REAL
    live.wait_synced("dev", git(named.state.clone, "rev-parse", "HEAD").strip())

    live.edit(KUSTOMIZATION, lambda text: with_replicas(text, 1))
    live.deploy("dev", "One of the frontend")
    assert frontend(live)["status"]["replicas"] == 1
    said = bare.kubectl.run("logs", f"--namespace={NAMESPACE}", f"deployment/{SERVER}")
    assert f"Received push event repo: {named.state.repository_url.removesuffix('.git')}" in said

    done = run_cluster("down", "--state", named.state.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert namespaces(bare) == before


def namespaces(cluster: PodCluster) -> set[str]:
    return {one["metadata"]["name"] for one in cluster.kubectl.list("namespaces")}

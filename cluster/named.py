"""A cluster that somebody names by its context: what is deployed there, and how all of that goes away again.

Only the Git server runs on this machine. An Argo CD that is there is used as it is, as the README asks for; if there is
none, the pinned one is installed as pods. Where something of this repository is deployed already, nothing is touched.
What is made is recorded before, so it can be deleted whatever becomes of the clone, and by another try if one fails.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.argocd import CONTROLLER, NAMESPACE, REPO_SERVER, SERVER
from cluster.errors import ClusterError
from cluster.fake_node import ANNOTATION
from cluster.kubectl import Kubectl
from cluster.repository import ROOT, push_checkout, start_git_server
from cluster.state import HOST, State
from cluster.waiting import answers, until
from cluster.webhook import unverified
from tools.commands import say

TOOLS = ("kubectl", "kustomize", "argocd-installation")
"""What tools/build.py has to provide."""

_KINDS = {"Application": "applications.argoproj.io", "AppProject": "appprojects.argoproj.io"}
_FORWARD = "argocd-forward"
# Images are pulled.
_INSTALL_SECONDS = 600
_DELETE_SECONDS = 300
RESTARTED = (f"statefulset/{CONTROLLER}", f"deployment/{REPO_SERVER}")
"""What reads at its start a setting that argocd/ changes, as the README says."""
_NEEDED = (*RESTARTED, f"deployment/{SERVER}")


@dataclass(frozen=True, slots=True)
class NamedCluster:
    """The cluster of one context, whichever becomes the current one: its part of the kubeconfig is copied."""

    state: State
    context: str
    tools: Path = ROOT / ".tools"

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.tools / "bin" / "kubectl", self.state.kubeconfig)

    def up(self, kubeconfig: str) -> None:
        """Deploy this checkout's last commit. ``kubeconfig`` is as in the variable KUBECONFIG. Raises ClusterError."""
        with self.state.alone():
            started = time.monotonic()
            if self._record.exists():
                raise ClusterError(f"{self.state.folder} says what was made in a named cluster: take it down first")
            self._copy(kubeconfig)
            self.state.choose_ports()
            start_git_server(self.state)
            push_checkout(self.state)
            made = self._to_be_made()
            self._refuse_to_share(made["namespaces"])
            _write(self._record, json.dumps({"context": self.context, **made}, indent=1))
            if not self._has_definitions():
                self._install()
            self.kubectl.run("apply", "--kustomize", self.state.clone / "argocd")
            self._restart()
            if not self.state.argocd_url:
                self._forward()
            self.state.ready.write_text(f"{time.monotonic() - started:.1f}\n")

    def down(self) -> None:
        """Delete what `up` made there, if it made anything, and the folder.

        Raises ClusterError if that fails: no process is left then, but the folder is, so that it can be tried again.
        """
        with self.state.alone():
            try:
                if self._record.exists():
                    self._delete()
            except ClusterError as error:
                said = f"not all is deleted in the cluster of {self.context}: {error}"
                again = f"`python -m cluster down --state {self.state.folder}` tries again"
                raise ClusterError(f"{said}; {again}") from error
            finally:
                for process in reversed(self.state.processes()):
                    process.end()
            self.state.remove()

    def pulls_images(self) -> bool:
        """Whether any of its nodes does."""
        return any(ANNOTATION not in one["metadata"].get("annotations", {}) for one in self.kubectl.list("nodes"))

    @property
    def _record(self) -> Path:
        """There once anything may have been changed in the cluster: its context, and the names of what is made."""
        return _record(self.state)

    @property
    def _installation(self) -> Path:
        """There if Argo CD was installed by us: what of."""
        return self.state.folder / "installation.yaml"

    def _copy(self, kubeconfig: str) -> None:
        """Of all contexts of these files the one, with its certificates in place."""
        wanted = ("config", "view", "--flatten", "--minify", f"--context={self.context}")
        program = self.tools / "bin" / "kubectl"
        text = Kubectl(program, Path(kubeconfig)).run(*wanted)
        with os.fdopen(os.open(self.state.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    def _to_be_made(self) -> dict[str, list[str]]:
        """The Applications and projects of argocd/, as they are applied, and the namespaces that are filled by them."""
        objects = list(yaml.safe_load_all(self.kubectl.run("kustomize", self.state.clone / "argocd")))
        made = {kind: [one["metadata"]["name"] for one in objects if one["kind"] == kind] for kind in _KINDS}
        filled = {one["spec"]["destination"]["namespace"] for one in objects if one["kind"] == "Application"}
        projects = [name for name in made["AppProject"] if name != "default"]  # every Argo CD has that one
        return {**made, "AppProject": projects, "namespaces": sorted(filled - {NAMESPACE})}

    def _refuse_to_share(self, namespaces: list[str]) -> None:
        where = f"the cluster of the context {self.context}"
        there = [name for name in namespaces if self.kubectl.get("namespace", name)]
        if there:
            raise ClusterError(f"{where} has the namespace {there[0]}, which would be deleted: nothing was touched")
        if not self._has_definitions():
            if self.kubectl.get("namespace", NAMESPACE):
                raise ClusterError(f"{where} has a namespace {NAMESPACE} without Argo CD in it: nothing was touched")
            return
        others = [one["metadata"]["name"] for one in self.kubectl.list(_KINDS["Application"])]
        if others:
            raise ClusterError(f"Argo CD in {where} has the Application {others[0]}: nothing was touched")

    def _has_definitions(self) -> bool:
        return self.kubectl.get("customresourcedefinition", _KINDS["Application"]) is not None

    def _install(self) -> None:
        """As pods, as its documentation asks for."""
        say(f"Argo CD is installed in the cluster of the context {self.context}")
        folder = self.tools / "argocd-installation" / "manifests" / "cluster-install"
        _write(self._installation, self.kubectl.run("kustomize", folder))
        self.kubectl.run("create", "namespace", NAMESPACE)
        self.kubectl.run("apply", "--server-side", f"--namespace={NAMESPACE}", f"--filename={self._installation}")
        self._wait_for_pods()

    def _restart(self) -> None:
        """Its parameters are among what was applied, and are read at the start."""
        if self.kubectl.get("statefulset", CONTROLLER, NAMESPACE) is None:
            say("Argo CD does not run as pods there, so it goes on with the parameters that it was started with")
            return
        self.kubectl.run("rollout", "restart", f"--namespace={NAMESPACE}", *RESTARTED)
        self._wait_for_pods()

    def _wait_for_pods(self) -> None:
        for one in _NEEDED:
            wait = ("rollout", "status", f"--namespace={NAMESPACE}", f"--timeout={_INSTALL_SECONDS}s", one)
            self.kubectl.run(*wait, seconds=_INSTALL_SECONDS + 30)

    def _forward(self) -> None:
        """Argo CD's API on this machine, for the webhook: through the API server, so whatever the network is."""
        port, url = self.state.port("argocd-server"), self.state.server_url
        process = self.state.process(_FORWARD)
        target = ("port-forward", f"--namespace={NAMESPACE}", f"--address={HOST}", f"service/{SERVER}", f"{port}:443")
        environment = os.environ | {"KUBECONFIG": str(self.state.kubeconfig)}
        process.start([self.tools / "bin" / "kubectl", *target], env=environment)
        until(
            "Argo CD answers through the forwarded port",
            lambda: answers(f"{url}/healthz", unverified()),
            seconds=90,
            by=process,
        )

    def _delete(self) -> None:
        """Applications first, which delete nothing by that, so that nothing of the rest comes back."""
        made = json.loads(self._record.read_bytes())
        if self._has_definitions():
            self._remove(_KINDS["Application"], *made["Application"], f"--namespace={NAMESPACE}")
            for project in made["AppProject"]:
                self._release(project)
            self._remove(_KINDS["AppProject"], *made["AppProject"], f"--namespace={NAMESPACE}")
        self._remove("namespace", *made["namespaces"])
        if self._installation.exists():
            self._remove(f"--namespace={NAMESPACE}", f"--filename={self._installation}")
            self._remove("namespace", NAMESPACE)

    def _release(self, project: str) -> None:
        """Its finalizer waits for its Applications, which are gone, and for an Argo CD, which may not run."""
        if self.kubectl.get(_KINDS["AppProject"], project, NAMESPACE):
            self.kubectl.patch(_KINDS["AppProject"], project, NAMESPACE, {"metadata": {"finalizers": None}})

    def _remove(self, *what: str) -> None:
        timeout = f"--timeout={_DELETE_SECONDS}s"
        self.kubectl.run("delete", "--ignore-not-found", "--wait", timeout, *what, seconds=_DELETE_SECONDS + 30)


def named_in(state: State) -> NamedCluster | None:
    """The named cluster in which something was made, as this folder says."""
    if not _record(state).exists():
        return None
    return NamedCluster(state, json.loads(_record(state).read_bytes())["context"])


def _record(state: State) -> Path:
    return state.folder / "made.json"


def _write(file: Path, text: str) -> None:
    """All of it or nothing, whenever this process ends."""
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)

"""Argo CD beside the cluster instead of in it: its one program, run as the components that it needs.

It is installed as its own manifests do it (definitions, settings), and each component gets its parameters from the same
keys of the same ConfigMaps; only what a pod would bring (addresses, folders, a Redis) is said here.
https://argo-cd.readthedocs.io/en/stable/operator-manual/architecture/
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from cluster.kubectl import Kubectl, Object
from cluster.state import HOST, State
from cluster.waiting import answers, until

NAMESPACE = "argocd"
CONTROLLER = "argocd-application-controller"
REPO_SERVER = "argocd-repo-server"
SERVER = "argocd-server"
_MANIFESTS = {
    CONTROLLER: "application-controller/argocd-application-controller-statefulset.yaml",
    REPO_SERVER: "repo-server/argocd-repo-server-deployment.yaml",
    SERVER: "server/argocd-server-deployment.yaml",
}
_DEFINITIONS = ("applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io")
_READY_SECONDS = 90
_LONGEST_SOCKET = 107
"""Bytes of the name of a Unix socket (unix(7))."""


@dataclass(frozen=True, slots=True)
class ArgoCD:
    """Installs and starts what is not there; what runs already is left alone."""

    state: State
    kubectl: Kubectl
    tools: Path

    def install(self) -> None:
        """The definitions and settings, server-side, as its documentation asks for."""
        self.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        manifests = self.tools / "argocd-installation" / "manifests"
        self._apply("--kustomize", manifests / "crds")
        self._apply("--kustomize", manifests / "base" / "config")
        names = [f"customresourcedefinition/{name}" for name in _DEFINITIONS]
        # Asked again: kubectl takes a definition that has no conditions yet for an error.
        wait = ("wait", "--for=condition=Established", "--timeout=1s", *names)
        until("Argo CD's definitions are established", lambda: self.kubectl.run(*wait), seconds=_READY_SECONDS)

    def apply(self, folder: Path) -> None:
        """What the README asks for, once."""
        self.kubectl.run("apply", "--kustomize", folder)

    def start(self) -> None:
        """Redis and the three components, until they answer. Raises ClusterError with their last words if not.

        The controller comes last: it and the server would both write the first keys into ``argocd-secret``, and the one
        that is late ends with a conflict.
        """
        self._start_redis()
        self.start_component(REPO_SERVER)
        for name, port in ((SERVER, "argocd-server"), (CONTROLLER, "argocd-controller")):
            self.start_component(name)
            url = f"http://{HOST}:{self.state.port(port)}/healthz"
            until(f"{name} is healthy", partial(answers, url), seconds=_READY_SECONDS, by=self.state.process(name))

    def start_component(self, name: str) -> None:
        """With the parameters that the ConfigMaps hold now: a component reads them only when it starts."""
        process = self.state.process(name)
        if process.is_alive():
            return
        folder = self._home()
        program = folder / "bin" / name
        process.start([program, *self._flags(name)], env=self._environment(name, folder), cwd=folder)

    def password(self) -> str:
        """The first password of the account ``admin``, which Argo CD makes itself. Raises ClusterError."""
        secret = until(
            "Argo CD has made its first password",
            lambda: self.kubectl.get("secret", "argocd-initial-admin-secret", NAMESPACE),
            seconds=_READY_SECONDS,
            by=self.state.process(SERVER),
        )
        return base64.b64decode(secret["data"]["password"]).decode()

    def _apply(self, *what: str | Path) -> None:
        namespace = f"--namespace={NAMESPACE}"
        self.kubectl.run("apply", "--server-side", "--force-conflicts", "--field-manager=cluster", namespace, *what)

    def _start_redis(self) -> None:
        redis = self.state.process("redis")
        redis.start([self.tools / "bin" / "miniredis", f"{HOST}:{self.state.port('redis')}"])

    def _flags(self, name: str) -> list[str]:
        port = self.state.port
        redis = f"--redis={HOST}:{port('redis')}"
        client = [redis, f"--repo-server={HOST}:{port('argocd-repo-server')}", f"--namespace={NAMESPACE}"]
        flags = {
            CONTROLLER: [*client, f"--metrics-port={port('argocd-controller')}"],
            REPO_SERVER: [
                redis,
                f"--address={HOST}",
                f"--port={port('argocd-repo-server')}",
                f"--metrics-address={HOST}",
                f"--metrics-port={port('argocd-repo-server-metrics')}",
            ],
            SERVER: [
                *client,
                "--insecure",  # http, on the loopback address
                f"--address={HOST}",
                f"--port={port('argocd-server')}",
                f"--metrics-address={HOST}",
                f"--metrics-port={port('argocd-server-metrics')}",
            ],
        }
        return flags[name]

    def _environment(self, name: str, folder: Path) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ARGOCD_", "GIT_"))},
            **dict(self._parameters(name)),
            **_socket(folder / "ask-pass.sock"),
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GNUPGHOME": str(folder / "gpg" / "keys"),
            "ARGOCD_GPG_DATA_PATH": str(folder / "gpg" / "source"),
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
            "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
            "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
            "HOME": str(folder / "home"),
            "HOSTNAME": f"{name}-0",  # the controller takes its shard from it
            "KUBECONFIG": str(self.state.pki / "argocd.kubeconfig"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(folder / "tmp"),
        }

    def _parameters(self, name: str) -> Iterator[tuple[str, str]]:
        """The environment that the component's own manifest gives it, from the ConfigMaps of the cluster."""
        file = self.tools / "argocd-installation" / "manifests" / "base" / _MANIFESTS[name]
        workload = yaml.safe_load(file.read_text(encoding="utf-8"))
        maps: dict[str, Object] = {}
        for variable in workload["spec"]["template"]["spec"]["containers"][0]["env"]:
            reference = variable.get("valueFrom", {}).get("configMapKeyRef")
            if reference is not None:
                wanted = reference["name"]
                if wanted not in maps:
                    maps[wanted] = (self.kubectl.get("configmap", wanted, NAMESPACE) or {}).get("data", {})
                if reference["key"] in maps[wanted]:
                    yield variable["name"], maps[wanted][reference["key"]]
            elif "value" in variable:
                yield variable["name"], variable["value"]

    def _home(self) -> Path:
        """The folders and programs that the image would bring."""
        folder = self.state.folder / "argocd"
        for name in ("bin", "gpg/keys", "gpg/source", "home", "plugins", "ssh", "tls", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "gpg" / "keys").chmod(0o700)
        (folder / "ssh" / "ssh_known_hosts").touch()
        for name in (*_MANIFESTS, "argocd-git-ask-pass"):  # the program looks at the name that it is called by
            link = folder / "bin" / name
            if not link.is_symlink():
                link.symlink_to(self.tools / "bin" / "argocd")
        (folder / "bin" / "kustomize").unlink(missing_ok=True)
        (folder / "bin" / "kustomize").symlink_to(self.tools / "bin" / "kustomize")
        for script in ("git-verify-wrapper.sh", "gpg-wrapper.sh"):
            copy = folder / "bin" / script
            shutil.copyfile(self.tools / "argocd-installation" / "hack" / script, copy)
            copy.chmod(0o755)
        return folder


def _socket(path: Path) -> dict[str, str]:
    """Where git may ask for a password: of each cluster its own, but for a name that is too long for a socket's."""
    return {"ARGOCD_ASK_PASS_SOCK": str(path)} if len(os.fsencode(path)) <= _LONGEST_SOCKET else {}

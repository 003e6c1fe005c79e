"""A pod's container as the kubelet would start it: the rendered manifest, an image of ours, and runc.

User, groups, read-only root, dropped capabilities, limits, environment, command and volumes are the manifest's; the
network is a namespace of its own, in which nothing but the loopback device is.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cluster.images.layout import digest_of
from cluster.waiting import until
from policy.manifests.quantities import NANO, parse_quantity
from tests.manifests.rendered import Document, one, overlay

T = TypeVar("T")
RUNC = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
PASSWORD = "0123456789abcdef" * 4
_SECONDS = 60.0


def why_not() -> str:
    """What is missing here for a container to be started; empty if nothing is."""
    if os.geteuid() != 0:
        return "containers need root"
    return "" if RUNC else "containers need runc, of the package runc"


class Network:
    """A network namespace with a loopback device, held by a process that does nothing else."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n"
        self.path = f"/proc/{self._holder.pid}/ns/net"
        self._thread = ThreadPoolExecutor(1, initializer=self._enter)

    def run(self, function: Callable[[], T]) -> T:
        """What the function answers in a thread whose sockets, and those of threads it starts, are in the namespace."""
        return self._thread.submit(function).result(_SECONDS)

    def close(self) -> None:
        self._thread.shutdown()
        self._holder.communicate(timeout=_SECONDS)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(self.path) as namespace:
            if libc.setns(namespace.fileno(), 0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")


@dataclass(slots=True)
class Container:
    """The one container of a workload of overlays/dev; ``folder`` keeps its claims from one start to the next."""

    name: str
    kind: str
    root: Path
    config: Mapping[str, Any]
    folder: Path
    network: Network
    mounted: Mapping[str, Path] = field(default_factory=dict)
    """Files and folders by where they are mounted, beyond the manifest."""
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pod(self) -> Document:
        pod: Document = one(overlay("dev"), self.kind, self.name)["spec"]["template"]["spec"]
        return pod

    @property
    def spec(self) -> Document:
        (container,) = self.pod["containers"]
        spec: Document = container
        return spec

    @contextmanager
    def running(self) -> Iterator[Container]:
        """Started, and ended by its image's stop signal, which it must obey."""
        bundle = self.folder / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self._runtime_config(bundle)))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._runc("run", "--bundle", bundle, self.name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield self
            if self._process.poll() is None:
                self.signal(self.config.get("StopSignal", "SIGTERM"))
                assert self._process.wait(_SECONDS) == 0, self.said()
        finally:
            subprocess.run(self._runc("delete", "--force", self.name), capture_output=True, check=False)
            self._process.wait(_SECONDS)

    def wait(self) -> int:
        """Its exit code, once it ends by itself."""
        assert self._process is not None
        return self._process.wait(_SECONDS)

    def signal(self, name: str) -> None:
        subprocess.run(self._runc("kill", self.name, name), check=True, capture_output=True)

    def execute(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as an exec probe would."""
        more = [part for name, value in (environment or {}).items() for part in ("--env", f"{name}={value}")]
        return subprocess.run(
            self._runc("exec", *more, self.name, *command), capture_output=True, text=True, check=False
        )

    def succeeds(self, probe: str) -> bool:
        """Whether a probe of the manifest (``readinessProbe``) succeeds now."""
        said = self.spec[probe]
        if "exec" in said:
            return self.execute(*said["exec"]["command"]).returncode == 0
        (port,) = (one["containerPort"] for one in self.spec["ports"] if one["name"] == said["httpGet"]["port"])
        return 200 <= self.get(port, said["httpGet"]["path"])[0] < 400

    def get(self, port: int, path: str) -> tuple[int, str]:
        """Status and body of an answer over HTTP; status 0 if there is none."""

        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                return 0, ""

        return self.network.run(ask)

    def wait_until_started(self) -> None:
        def started() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.said()
            return self.succeeds("startupProbe")

        until(f"{self.name} has started", started, seconds=_SECONDS)

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _runc(self, *arguments: str | Path) -> list[str]:
        assert RUNC is not None
        return [RUNC, "--root", str(self.folder / "runc"), *map(str, arguments)]

    def _runtime_config(self, bundle: Path) -> dict[str, Any]:
        """https://github.com/opencontainers/runtime-spec/blob/main/config.md"""
        security = self.pod["securityContext"] | self.spec["securityContext"]
        limits = self.spec["resources"]["limits"]
        environment = dict(one.split("=", 1) for one in self.config.get("Env", ()))
        environment |= {one["name"]: _value(one) for one in self.spec.get("env", ())}
        environment |= self.environment
        assert security["capabilities"] == {"drop": ["ALL"]}
        return {
            "ociVersion": "1.0.2",
            "process": {
                "args": self._command(),
                "cwd": self.config.get("WorkingDir", "/"),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "user": {
                    "uid": security["runAsUser"],
                    "gid": security["runAsGroup"],
                    "additionalGids": [security["fsGroup"]],
                },
                "noNewPrivileges": not security["allowPrivilegeEscalation"],
            },
            "root": {"path": str(self.root), "readonly": security["readOnlyRootFilesystem"]},
            "mounts": [*_SYSTEM_MOUNTS, *self._mounts(bundle)],
            "linux": {
                "namespaces": [
                    *({"type": one} for one in ("ipc", "mount", "pid", "uts")),
                    {"type": "network", "path": self.network.path},
                ],
                "resources": {
                    "memory": {"limit": parse_quantity(limits["memory"]) // NANO},
                    "cpu": {"period": 100_000, "quota": parse_quantity(limits["cpu"]) * 100_000 // NANO},
                },
                "cgroupsPath": f"/{self.folder.parent.name}-{self.folder.name}",
            },
        }

    def _command(self) -> list[str]:
        """https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/"""
        command, arguments = self.spec.get("command"), self.spec.get("args")
        if command is not None:
            return [*command, *(arguments or ())]
        entrypoint = self.config.get("Entrypoint", [])
        return [*entrypoint, *(arguments if arguments is not None else self.config.get("Cmd", []))]

    def _mounts(self, bundle: Path) -> Iterator[dict[str, Any]]:
        group = self.pod["securityContext"]["fsGroup"]
        for mount in self.spec.get("volumeMounts", ()):
            source = self._volume(mount["name"], bundle / mount["name"], group)
            if "subPath" in mount:
                source /= mount["subPath"]
            yield _bind(source, mount["mountPath"], read_only=mount.get("readOnly", False))
        for place, source in self.mounted.items():
            yield _bind(source, place, read_only=True)

    def _volume(self, name: str, fresh: Path, group: int) -> Path:
        """Make a volume as the kubelet makes it, with its group and modes."""
        (volume,) = (one for one in (*self.pod.get("volumes", ()), *self._claims()) if one["name"] == name)
        if "claim" in volume:
            kept = self.folder / f"claim-{name}"
            (kept / "lost+found").mkdir(parents=True, exist_ok=True)
            _give_to_group(kept, group)
            return kept
        fresh.mkdir(exist_ok=True)
        if "emptyDir" in volume:
            fresh.chmod(0o777)
        elif "configMap" in volume:
            texts = next(
                one["data"]
                for one in overlay("dev")
                if one["kind"] == "ConfigMap" and one["metadata"]["name"] == volume["configMap"]["name"]
            )
            for key, text in texts.items():
                (fresh / key).write_text(text)
                (fresh / key).chmod(0o644)
        else:
            for item in volume["secret"]["items"]:
                (fresh / item["path"]).write_text(PASSWORD)
                (fresh / item["path"]).chmod(volume["secret"]["defaultMode"])
        if "emptyDir" in volume or "secret" in volume:
            _give_to_group(fresh, group, writable="emptyDir" in volume)
        return fresh

    def _claims(self) -> Iterator[Document]:
        templates = one(overlay("dev"), self.kind, self.name)["spec"].get("volumeClaimTemplates", ())
        return ({"name": template["metadata"]["name"], "claim": True} for template in templates)


def unpack(layout: Path, root: Path) -> Mapping[str, Any]:
    """Unpack the image's layers into a new folder; its configuration."""

    def blob(digest: str) -> Path:
        return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    root.mkdir(parents=True)
    manifest = json.loads(blob(digest_of(layout)).read_bytes())
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xpf", blob(layer["digest"]), "-C", root], check=True)
    config: Mapping[str, Any] = json.loads(blob(manifest["config"]["digest"]).read_bytes())["config"]
    return config


def _value(variable: Document) -> str:
    if "valueFrom" not in variable:
        return str(variable["value"])
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    return "ecommerce-dev"


def _bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "rprivate", "ro" if read_only else "rw"]
    return {"destination": target, "type": "bind", "source": str(source), "options": options}


def _give_to_group(folder: Path, group: int, *, writable: bool = True) -> None:
    """What fsGroup does, at every start: everything belongs to the group, which may do what the owner may.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/volume_linux.go
    """
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            continue
        os.chown(path, -1, group)
        more = 0o660 if writable else 0o440
        path.chmod(mode | more | (stat.S_ISGID | 0o110 if path.is_dir() else 0))


_SYSTEM_MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777", "size=64m"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
]

"""Asking and changing a cluster as a person would: by the pinned kubectl."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The program and the kubeconfig that it is used with."""

    program: Path
    kubeconfig: Path

    def run(self, *arguments: str | Path, given: str | None = None, seconds: float = 60) -> str:
        """Its answer. Raises ClusterError with what it says, or if there is no answer in time."""
        command = [os.fspath(part) for part in (self.program, *arguments)]
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig)}
        try:
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, env=environment, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{' '.join(command[1:4])} gave no answer in {seconds:.0f} s") from error
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(command[1:4])}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object, or None if there is none."""
        said = self.run("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=json")
        found: Object | None = json.loads(said) if said.strip() else None
        return found

    def list(self, kinds: str, namespace: str = "", selector: str = "") -> list[Object]:
        """The objects of these kinds (``deployments,services``), of all namespaces if none is named."""
        where = ("--namespace", namespace) if namespace else ("--all-namespaces",)
        items: list[Object] = json.loads(self.run("get", kinds, *where, f"--selector={selector}", "--output=json"))[
            "items"
        ]
        return items

    def apply(self, *objects: Object) -> None:
        """Server-side, as this package."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.run("apply", "--server-side", "--field-manager=cluster", "--filename=-", given=listed)

    def patch(self, kind: str, name: str, namespace: str, patch: Object, *, how: str = "merge") -> None:
        self.run("patch", kind, name, "--namespace", namespace, f"--type={how}", f"--patch={json.dumps(patch)}")


def is_ready(one: Object | None) -> bool:
    """Whether it is there and its condition Ready says so."""
    conditions = (one or {}).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

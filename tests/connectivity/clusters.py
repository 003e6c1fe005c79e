"""Small clusters as manifests, and the command run on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent, indent

import pytest

from policy.cli import main

Run = Callable[..., tuple[int, str, str]]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program; gives its exit code, what it printed, and what it said on stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def deployment(name: str, *, namespace: str = "shop", ports: Sequence[tuple[str, int]] = (), env: str = "") -> str:
    declared = "".join(f"            - {{name: {port}, containerPort: {number}}}\n" for port, number in ports)
    return (
        dedent(
            f"""\
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}, namespace: {namespace}}}
        spec:
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata: {{labels: {{app: {name}}}}}
            spec:
              containers:
                - name: {name}
                  image: registry.example/{name}:1.0.0
        """
        )
        + (f"          ports:\n{declared}" if declared else "")
        + indent(env, " " * 10)
    )


def policy(name: str, spec: str, *, namespace: str = "shop") -> str:
    head = (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
    )
    return head + "spec:\n" + indent(dedent(spec), "  ")


DENY = policy("default-deny", "podSelector: {}\npolicyTypes: [Ingress, Egress]\n")


def write(folder: Path, *documents: str, topology: str = "") -> Path:
    """A folder of manifests, and beside it a topology.yaml; gives the folder of the manifests."""
    manifests = folder / "manifests"
    manifests.mkdir(parents=True, exist_ok=True)
    (manifests / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
    if topology:
        (manifests / "topology.yaml").write_text(dedent(topology), encoding="utf-8")
    return manifests

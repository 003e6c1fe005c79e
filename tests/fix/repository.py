"""Small repositories on disk, and the command as a person runs it there."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from policy.cli import main

POD_RULES = ("no-privilege-escalation", "capabilities-dropped", "run-as-non-root", "seccomp-set")
"""The rules whose remedy needs nothing but the workload."""

KUSTOMIZATION = "resources:\n  - web.yaml\n"

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      securityContext:
        runAsNonRoot: true
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: app
          image: app:1
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop:
                - ALL
"""
"""Clean for ``POD_RULES``."""


@dataclass(frozen=True)
class Ran:
    """What a run printed and how it ended."""

    code: int
    out: str
    err: str


class Repository:
    """A folder that is a repository, and the working folder of what runs."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / ".git").mkdir(exist_ok=True)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(textwrap.dedent(content).encode() if isinstance(content, str) else content)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def files(self) -> dict[str, bytes]:
        """Everything that is on disk."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def check(self, *arguments: str, rules: tuple[str, ...] = POD_RULES) -> Ran:
        code = main(["check", *arguments, *(f"--only={rule}" for rule in rules)])
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    def fix(self, *arguments: str, rules: tuple[str, ...] = POD_RULES) -> Ran:
        """``--fix``; that a second run changes nothing is a part of it."""
        ran = self.check("--fix", *arguments, rules=rules)
        mended = self.files()
        again = self.check("--fix", *arguments, rules=rules)
        assert self.files() == mended
        assert "+++" not in again.out
        return ran

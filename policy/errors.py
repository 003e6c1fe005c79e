"""Everything that means "could not run": one sentence for the person at the terminal, exit code 2."""

from __future__ import annotations

from pathlib import Path


class PolicyError(Exception):
    """The check could not be carried out.

    ``message`` is one clear sentence; ``file`` and ``line`` (1-based) say where, if it is about a place in a file.
    """

    def __init__(self, message: str, *, file: Path | str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        if self.line is None:
            return f"{self.file}: {self.message}"
        return f"{self.file}:{self.line}: {self.message}"


class SettingsError(PolicyError):
    """policy.toml or topology.yaml says something that cannot be understood."""


class SourceError(PolicyError):
    """A source file is not readable as what it should be: YAML, UTF-8, a kustomization."""


class RenderError(PolicyError):
    """kustomize refused an overlay."""


class ToolError(PolicyError):
    """A tool is missing, is not the pinned version, or broke."""

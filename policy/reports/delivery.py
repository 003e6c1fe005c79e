"""Where reports go, stdout and files, and what they may know of where the program runs: the terminal, GitHub."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policy.reports import Run, render

if TYPE_CHECKING:
    from policy.reports.files import Output
    from policy.result import Result
    from policy.rules.rule import Rule
    from policy.settings import Settings
    from policy.targets import Target

_WRITTEN_AT_ONCE = 65_536
"""Characters: Python keeps an encoded copy of what is written at once."""


def deliver(format_name: str, outputs: Sequence[Output], run: Run) -> None:
    """What is asked for on stdout, then in files, so that a file that cannot be written hides nothing.

    Raises PolicyError if a file cannot be written.
    """
    print_report(render(format_name, run))
    for output in outputs:
        from policy.reports.files import write_report

        write_report(output.path, render(output.format, run.for_file()))


def run_of(
    result: Result,
    *,
    settings: Settings,
    rules: Sequence[Rule],
    targets: Sequence[Target],
    is_whole: bool,
    strict: bool,
    shows_all: bool,
    rule_pages: str | None,
) -> Run:
    """A run, as it is to be told where the program runs now."""
    from policy.targets import TargetKind

    workspace = os.environ.get("GITHUB_WORKSPACE")
    return Run(
        result=result,
        rules=rules,
        root=settings.repository,
        is_enabled=lambda rule, overlay: settings.rule(rule, overlay).enabled,
        kustomizations=frozenset(target.name for target in targets if target.kind is TargetKind.KUSTOMIZATION),
        is_whole=is_whole,
        strict=strict,
        shows_all=shows_all,
        color=_wants_color(),
        width=_columns(),
        workspace=Path(workspace) if workspace else None,
        rule_pages=f"{rule_pages.rstrip('/')}/" if rule_pages else None,
        source=_source(),
    )


def print_report(text: str) -> None:
    """Prints in UTF-8, whatever the locale says: reports hold what manifests hold."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    for start in range(0, len(text), _WRITTEN_AT_ONCE):
        sys.stdout.write(text[start : start + _WRITTEN_AT_ONCE])


def _source() -> str | None:
    """Where GitHub shows the files of the commit that its workflow checks."""
    parts = [os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "SHA")]
    return "{}/{}/blob/{}/".format(*parts) if all(parts) else None


def _wants_color() -> bool:
    """Colour only on a terminal, and not where NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _columns() -> int | None:
    """The width of the terminal; lines of a log or a file are not wrapped, so that they can be searched."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns

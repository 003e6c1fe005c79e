"""``policy init``: a policy.toml for a repository, from what it holds."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from policy.adoption.names import Named
from policy.adoption.plan import Plan, plan_for
from policy.adoption.survey import Survey, survey
from policy.adoption.template import one_line, settings_text
from policy.baseline.file import write
from policy.errors import PolicyError
from policy.reports.plain import printable
from policy.settings import FILE_NAME

_SHOWN = 5


def init(folder: Path, *, today: datetime.date) -> str:
    """Writes ``policy.toml`` into the folder; what was found, and what to do next, as text.

    Raises:
        PolicyError: there is a policy.toml already, it cannot be written, or there is nothing to check.
    """
    if not folder.is_dir():
        raise PolicyError(f"there is no folder {folder}")
    file = folder / FILE_NAME
    if os.path.lexists(file):
        raise PolicyError("exists already, and is left as it is", file=file)
    found = survey(folder.resolve())
    if not found.environments and found.argocd is None:
        raise PolicyError(_nothing(folder, found))
    plan = plan_for(found, today=today)
    write(file, settings_text(plan))
    return "\n".join([*_told(plan), "", *_next(plan, file), ""])


def _nothing(folder: Path, found: Survey) -> str:
    nothing = f"there is nothing to check in {folder}: no kustomization and no manifest"
    if not found.charts:
        return nothing
    chart = folder / found.charts[0]
    return f"{nothing}, only Helm charts; check what they render: `helm template {chart} | policy check -`"


def _told(plan: Plan) -> Iterator[str]:
    found = plan.found
    rows = [
        ("environments", _listed(f"{name} ({folder})" for name, folder in plan.environments)),
        ("Argo CD", str(plan.argocd or "")),
        ("CRDs", _listed(map(str, plan.definitions))),
        ("Helm charts", _beside(found.charts, "not checked; check what they render")),
        ("also here", _beside(_folders(found.loose), "manifests that no kustomization builds")),
        *(("left out", f"{name}: {one_line(error)}") for name, error in list(plan.broken.items())[:_SHOWN]),
        ("left out", f"{len(plan.broken) - _SHOWN} more" if len(plan.broken) > _SHOWN else ""),
        ("tools", _listed(f"{name} {version or 'is not on PATH'}" for name, version in plan.tools.items())),
        *(("could not run", error) for error in _errors(plan)),
        ("found today", _findings(plan)),
    ]
    width = max(len(label) for label, value in rows if value)
    yield from (printable(f"{label:<{width}}  {value}") for label, value in rows if value)


def _errors(plan: Plan) -> list[str]:
    """What could not run, each once: a missing tool is one for every environment."""
    return list(dict.fromkeys(map(one_line, plan.result.all_errors if plan.result else ())))


def _findings(plan: Plan) -> str:
    if plan.result is None or _errors(plan):
        return ""
    most = ", ".join(f"{count} {rule}" for rule, count in plan.most_found[:3])
    count = len(plan.result.findings)
    return f"{count} finding{'' if count == 1 else 's'}" + (
        f", most of them {most}" if len(plan.most_found) > 3 else ""
    )


def _next(plan: Plan, file: Path) -> Iterator[str]:
    yield f"{os.path.relpath(file)} is written. Next:"
    if plan.result is None:
        yield "  mend what is left out, and name it there"
        return
    if _errors(plan):
        yield "  mend what could not run"
    yield "  policy check      shows what is found"
    if plan.result.findings:
        yield "  policy baseline   writes down what is found today, so that only new findings fail"


def _folders(named: Iterable[Named]) -> list[Path]:
    return [folder for _, folder in named]


def _beside(paths: Iterable[Path], what: str) -> str:
    said = _listed(map(str, paths))
    return f"{said}: {what}" if said else ""


def _listed(items: Iterable[str]) -> str:
    """The first of them, and how many more."""
    first, more = (every := list(items))[:_SHOWN], len(every) - _SHOWN
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")

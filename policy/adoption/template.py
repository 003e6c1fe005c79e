"""The text of a new policy.toml: what was found, and what may be set, as comments."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

from policy.adoption.plan import Plan
from policy.errors import PolicyError
from policy.reports.plain import printable
from policy.rules.images import image_registry_allowed
from policy.settings import ARGOCD, DEFAULT_NEWEST, DEFAULT_OLDEST

_MOST = 8
"""How many rules the hint names."""


def settings_text(plan: Plan) -> str:
    """policy.toml as the plan has it."""
    return "\n".join(_lines(plan))


def one_line(error: PolicyError) -> str:
    """An error as it fits into a comment, or a line of a table."""
    return printable(" ".join(str(error).split()))


def _lines(plan: Plan) -> Iterator[str]:
    yield "# What is checked here, and how. All rules: `policy rules`; the page of one: `policy rules show RULE`."
    yield ""
    yield "[kubernetes]  # the oldest and the newest version of your clusters: manifests must be valid for both"
    yield f'oldest = "{DEFAULT_OLDEST}"'
    yield f'newest = "{DEFAULT_NEWEST}"'
    yield ""
    yield "[environments]  # name = folder of its kustomization, or of plain manifests; production last"
    for name, folder in plan.found.environments:
        yield from _overlay(name, folder, plan.broken.get(name))
    if plan.found.loose:
        yield "# Manifests that no kustomization builds:"
        yield from (f"# {name} = {_quoted(folder)}" for name, folder in plan.found.loose)
    yield ""
    if plan.found.argocd is not None:
        yield "[argocd]  # Argo CD's own objects: projects, applications, settings"
        yield from _overlay("path", plan.found.argocd, plan.broken.get(ARGOCD))
        yield ""
    yield "[tools]  # exact versions: another one may render, and judge, differently"
    for name, version in plan.tools.items():
        yield f'{name} = "{version}"' if version else f"# {name} is not on PATH"
    yield ""
    yield from _definitions(plan)
    yield from _rules(plan)
    yield from _exception(plan)


def _overlay(key: str, folder: Path, error: PolicyError | None) -> Iterator[str]:
    if error is None:
        yield f"{key} = {_quoted(folder)}"
    else:
        yield f"# Cannot be checked: {one_line(error)}"
        yield f"# {key} = {_quoted(folder)}"


def _definitions(plan: Plan) -> Iterator[str]:
    about = "CustomResourceDefinitions, for the kinds that Kubernetes itself does not have"
    if plan.definitions:
        yield f"[schemas]  # {about}"
        yield from ("crds = [", *(f"  {_quoted(path)}," for path in plan.definitions), "]")
    else:
        yield "# [schemas]"
        yield f'# crds = ["crds/"]  # {about}'
    yield ""


def _rules(plan: Plan) -> Iterator[str]:
    most = plan.most_found[:_MOST]
    if most:
        yield "# The rules that find most today. A rule can warn only, or be off, everywhere or in one environment:"
        yield from (f"# {count:>5}  {rule}" for rule, count in most)
        yield f"# [rules.{most[0][0]}]"
        yield '# severity = "warning"'
        for name, _ in plan.environments[:1]:
            yield f"# [rules.{most[0][0]}.environments.{name}]"
            yield "# enabled = false"
        yield ""
    if plan.registries:
        yield "# Where images come from today. With the list, an image from elsewhere is a finding:"
        yield f"# [rules.{image_registry_allowed.RULE.id}]"
        yield from ("# allowed = [", *(f"#   {_toml(place)}," for place in plan.registries), "# ]")
        yield ""


def _exception(plan: Plan) -> Iterator[str]:
    rule = plan.most_found[0][0] if plan.most_found else "read-only-root"
    yield "# A finding that is accepted for a while:"
    yield "# [[exception]]"
    yield f'# rule = "{rule}"'
    yield '# object = "Deployment/name"'
    yield '# reason = "why it has to be so"'
    yield '# owner = "who mends it"'
    yield f"# expires = {plan.day + datetime.timedelta(days=90)}"
    yield ""


def _quoted(path: Path) -> str:
    return _toml(path.as_posix())


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

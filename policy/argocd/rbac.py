"""Argo CD's policies, line by line: whether each can ever take effect.

`argocd admin settings rbac validate` looks at commas only: it calls ``p, role:dev, aplications, gett, …`` valid, and
such a line grants, or denies, nothing. Resources, actions and objects are those of
https://argo-cd.readthedocs.io/en/stable/operator-manual/rbac/#rbac-model-structure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

_READ_WRITE = frozenset({"get", "create", "update", "delete"})
ACTIONS: Mapping[str, frozenset[str]] = {
    "applications": _READ_WRITE | {"sync", "rollback", "action", "override"},
    "applicationsets": _READ_WRITE,
    "clusters": _READ_WRITE,
    "projects": _READ_WRITE,
    "repositories": _READ_WRITE,
    "write-repositories": _READ_WRITE,
    "accounts": frozenset({"get", "update"}),
    "certificates": frozenset({"get", "create", "delete"}),
    "gpgkeys": frozenset({"get", "create", "delete"}),
    "logs": frozenset({"get"}),
    "exec": frozenset({"create"}),
    "extensions": frozenset({"invoke"}),
}
"""The resources, and what can be done with each."""

IN_PROJECT = frozenset({"applications", "applicationsets", "clusters", "exec", "logs", "repositories"})
"""The resources that a role of an AppProject may speak of."""

_APPLICATION_OBJECT = frozenset({"applications", "applicationsets", "exec", "logs"})
_BUILT_IN_ROLES = frozenset({"role:admin", "role:readonly"})


class Policy(msgspec.Struct, frozen=True):
    """A ``p`` line: who may (or may not) do what with which object."""

    subject: str
    resource: str
    action: str
    object: str
    effect: str


class Grouping(msgspec.Struct, frozen=True):
    """A ``g`` line: a user, a group or a role has a role."""

    member: str
    role: str


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a line; ``line`` counts from 1."""

    line: int
    message: str


def policy_problems(
    text: str, *, project: str | None = None, role: str | None = None, applications: Collection[str] | None = None
) -> list[Problem]:
    """What keeps lines of a policy from taking effect, in the order of the lines.

    ``text`` is the CSV of argocd-rbac-cm (all its ``policy.*.csv`` keys joined), or the policies of one role of an
    AppProject: then ``project`` and ``role`` name it. ``applications`` are the known ones as ``project/name``: a policy
    whose object matches none of them is a problem.
    """
    problems: list[Problem] = []
    parsed: list[tuple[int, Policy | Grouping]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        item = _parse(line)
        if isinstance(item, str):
            problems.append(Problem(number, item))
            continue
        parsed.append((number, item))
        if isinstance(item, Policy):
            problems += [Problem(number, said) for said in _policy(item, project, role, applications)]
        elif project is not None:
            problems.append(Problem(number, "a role of an AppProject is bound by its `groups`, not by a `g` line"))
    if project is None:
        problems += _bindings(parsed)
    return sorted(problems, key=lambda problem: problem.line)


def _parse(line: str) -> Policy | Grouping | str:
    import csv  # few have roles of Argo CD

    fields = [field.strip() for field in next(csv.reader([line], skipinitialspace=True))]
    if fields[0] == "p" and len(fields) == 6:
        return Policy(*fields[1:])
    if fields[0] == "g" and len(fields) == 3:
        return Grouping(*fields[1:])
    return f"`{line}` is neither `p, subject, resource, action, object, effect` nor `g, member, role`"


def _policy(
    policy: Policy, project: str | None, role: str | None, applications: Collection[str] | None
) -> Iterator[str]:
    if project is not None and policy.subject != f"proj:{project}:{role}":
        yield f"the subject is {policy.subject}, want proj:{project}:{role}"
    known = ACTIONS if project is None else {name: ACTIONS[name] for name in IN_PROJECT}
    resources = [name for name in known if fnmatchcase(name, policy.resource)]
    if not resources:
        yield f"there is no resource {policy.resource}: known are {', '.join(sorted(known))}"
    elif not any(_can_be_asked(resource, policy.action) for resource in resources):
        allowed = sorted(frozenset[str]().union(*(known[resource] for resource in resources)))
        yield f"{policy.resource} has no action {policy.action}: known are {', '.join(allowed)}"
    if policy.effect not in ("allow", "deny"):
        yield f"the effect is {policy.effect}, want allow or deny"
    if policy.resource in _APPLICATION_OBJECT:
        yield from _object(policy.object, project, applications)


def _can_be_asked(resource: str, action: str) -> bool:
    """Whether a request for the resource can match: `update` and `delete` have paths, `action` never comes without."""
    name, _, path = action.partition("/")
    if path:
        depth = {"action": 3, "update": 4, "delete": 4}.get(name, 0) if resource == "applications" else 0
        return bool(depth) and (path.endswith("*") or path.count("/") == depth - 1)
    return any(fnmatchcase(known, name) and (known != "action" or name != "action") for known in ACTIONS[resource])


def _object(pattern: str, project: str | None, applications: Collection[str] | None) -> Iterator[str]:
    if project is not None and not pattern.startswith(f"{project}/"):
        yield f"the object is {pattern}, want {project}/… as the role is of that project"
    elif "/" not in pattern and not pattern.endswith("*"):
        yield f"the object is {pattern}, want <project>/<application>"
    elif applications is not None and not any(fnmatchcase(name, pattern) for name in applications):
        yield f"the object {pattern} matches no application: known are {', '.join(sorted(applications))}"


def _bindings(parsed: Sequence[tuple[int, Policy | Grouping]]) -> Iterator[Problem]:
    defined = {item.subject for _, item in parsed if isinstance(item, Policy)} | _BUILT_IN_ROLES
    members = {item.member for _, item in parsed if isinstance(item, Grouping)}
    roles = {item.role for _, item in parsed if isinstance(item, Grouping)}
    for number, item in parsed:
        if isinstance(item, Grouping):
            if item.role not in defined | members and not item.role.startswith("proj:"):
                yield Problem(number, f"{item.role} is given to {item.member} and has no policy")
        elif item.subject.startswith("role:"):
            if item.subject not in roles:
                yield Problem(number, f"nobody has {item.subject}: bind a group to it by a `g` line")
        elif ":" in item.subject and item.subject not in members:
            yield Problem(number, f"{item.subject} is a group without a `g` line, so its policies are passed over")

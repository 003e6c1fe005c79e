"""Which findings have a remedy that is mechanical, and what it writes.

A remedy only adds a field that is absent; a value that somebody chose is never changed. It states what the rule asks
for where there is one right value, or what the API server would fill in, so that the file shows it.

Not among them is `readOnlyRootFilesystem: true`: a program that writes beside its volumes fails only when it gets
there, and which paths need an emptyDir cannot be seen in a manifest. The others either change nothing for a program
that does not need the power that they take away, or keep a pod from starting, where the rollout stops and tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from policy.findings import Field, FieldPath, ObjectRef
from policy.fix.insertion import Value
from policy.manifests.index import Index
from policy.manifests.security import run_as_non_root, run_as_user
from policy.manifests.workloads import Container, Workload


class NotMechanical(Exception):
    """Why a person has to judge this one: a part of a sentence."""


class Scene(msgspec.Struct, frozen=True, dict=True):
    """What a remedy may know: all objects of the overlay, and which ServiceAccounts any file binds a role to.

    ``bound`` gives their names; None where that cannot be known, because only a part of the files can be seen.
    """

    index: Index
    bound: Callable[[], frozenset[str] | None]

    def workload(self, at: Field) -> Workload:
        """The workload that the field is in."""
        return self._workloads[at.object]

    @cached_property
    def _workloads(self) -> Mapping[ObjectRef, Workload]:
        return {each.ref: each for each in reversed(self.index.workloads)}

    @cached_property
    def _raw(self) -> Mapping[ObjectRef, Mapping[str, Any]]:
        return {each.ref: each.raw for each in self.index.resources}

    def container(self, at: Field) -> Container:
        """The container that the field is in."""
        return next(each for each in self.workload(at).containers if each.path == at.path[: len(each.path)])

    def value(self, at: Field) -> Any:
        """What the field holds; None if it is absent or null."""
        found: Any = self._raw.get(at.object)
        for step in at.path:
            if isinstance(found, Mapping):
                found = found.get(str(step))
            else:
                found = found[step] if isinstance(found, list) and isinstance(step, int) else None
        return found


class Addition(msgspec.Struct, frozen=True):
    """A field of a rendered object that is absent, and the value that it gets."""

    at: Field
    value: Value


Additions = Callable[[Scene, Field], Iterator[Addition]]


class Remedy(msgspec.Struct, frozen=True):
    """What is written where a finding's path ends with ``field``; ``caution`` is what to look at afterwards."""

    field: FieldPath
    says: str
    additions: Additions
    caution: str = ""


def _escalation(scene: Scene, at: Field) -> Iterator[Addition]:
    security = scene.container(at).spec.security_context
    added = (security.capabilities.add or ()) if security and security.capabilities else ()
    if security and security.privileged:
        raise NotMechanical("the container is privileged, and the API server refuses the two together")
    if any(name.removeprefix("CAP_") == "SYS_ADMIN" for name in added):
        raise NotMechanical("the container adds SYS_ADMIN, and the API server refuses the two together")
    yield Addition(at, False)


def _capabilities(scene: Scene, at: Field) -> Iterator[Addition]:
    container = scene.container(at)
    if container.spec.security_context and container.spec.security_context.privileged:
        raise NotMechanical("the container is privileged, and has every capability whatever it drops")
    user = next(each.value for each in run_as_user(scene.workload(at)) if each.container is container)
    if user == 0:
        raise NotMechanical("the container runs as root, and may need some of root's capabilities by name")
    yield Addition(at, ("ALL",))


def _non_root(scene: Scene, at: Field) -> Iterator[Addition]:
    workload = scene.workload(at)
    for setting, user in zip(run_as_non_root(workload), run_as_user(workload), strict=True):
        if setting.at == at and user.value == 0:
            raise NotMechanical(f"runAsUser is 0 for {user.container}, which would not start")
    yield Addition(at, True)


def _seccomp(_: Scene, at: Field) -> Iterator[Addition]:
    yield Addition(at, "RuntimeDefault")


def _token(scene: Scene, at: Field) -> Iterator[Addition]:
    bound = scene.bound()
    account = at.object.name if at.object.kind == "ServiceAccount" else scene.workload(at).service_account
    if bound is None:
        raise NotMechanical("outside of a Git repository another file may bind a role to the ServiceAccount")
    if account in bound:
        raise NotMechanical(f"the repository binds a role to a ServiceAccount {account}, perhaps to this one")
    yield Addition(at, False)


def _default(scene: Scene, at: Field) -> Iterator[Addition]:
    """What the container gets anyway: of a LimitRange, or for a request its own limit."""
    side, resource = str(at.path[-2]), str(at.path[-1])
    yield Addition(at, _in_effect(scene, at))
    request = Field(at.object, (*at.path[:-2], "requests", resource))
    if side == "limits" and scene.value(request) is None:
        yield Addition(request, _in_effect(scene, request))  # else the limit would become the request


def _in_effect(scene: Scene, at: Field) -> Value:
    side, resource = str(at.path[-2]), str(at.path[-1])
    workload, container = scene.workload(at), scene.container(at)
    ranges = scene.index.limit_ranges_in(workload.namespace)
    requirements = scene.index.requirements_of(workload).containers
    amount = next(each.effective for each in requirements if each.container is container).named(side).get(resource)
    if amount is None or not amount.value:
        raise NotMechanical(f"no LimitRange of the namespace has a default for it ({side}.{resource})")
    if amount.given_by.object != at.object and len(ranges) > 1:
        raise NotMechanical("the namespace has several LimitRanges, and which default counts is not certain")
    value = scene.value(amount.given_by)
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


_ESCALATION = Remedy(
    ("securityContext", "allowPrivilegeEscalation"),
    "`allowPrivilegeEscalation: false`",
    _escalation,
    "a program that becomes another user by a set-user-ID file (sudo, ping) no longer can",
)
_CAPABILITIES = Remedy(
    ("securityContext", "capabilities", "drop"),
    "`capabilities.drop: [ALL]`",
    _capabilities,
    "a program that starts as root to give its power up needs SETUID and SETGID, added by name",
)
_NON_ROOT = Remedy(
    ("securityContext", "runAsNonRoot"),
    "`runAsNonRoot: true`",
    _non_root,
    "an image whose user is root, or is not a number, does not start without a runAsUser",
)
_SECCOMP = Remedy(("securityContext", "seccompProfile", "type"), "`seccompProfile.type: RuntimeDefault`", _seccomp)
_TOKEN = Remedy(
    ("automountServiceAccountToken",),
    "`automountServiceAccountToken: false`",
    _token,
    "a role that is bound outside of this repository cannot be seen here",
)


def _of_limit_range(side: str, *resources: str) -> tuple[Remedy, ...]:
    return tuple(
        Remedy(("resources", side, name), f"the {side[:-1]} of {name} that a LimitRange gives by default", _default)
        for name in resources
    )


REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    "no-privilege-escalation": (_ESCALATION,),
    "capabilities-dropped": (_CAPABILITIES,),
    "run-as-non-root": (_NON_ROOT,),
    "seccomp-set": (_SECCOMP,),
    "no-token-automount": (_TOKEN,),
    "pod-security-level": (_ESCALATION, _CAPABILITIES, _NON_ROOT, _SECCOMP),
    "requests-set": _of_limit_range("requests", "cpu", "memory"),
    "limits-set": _of_limit_range("limits", "cpu", "memory"),
    "ephemeral-storage-set": (
        *_of_limit_range("requests", "ephemeral-storage"),
        *_of_limit_range("limits", "ephemeral-storage"),
    ),
}
"""The remedies of each rule, by its id."""


def fixable_rules() -> Mapping[str, tuple[str, ...]]:
    """The rules that ``--fix`` mends, by id, each with what it writes where that is absent (Markdown)."""
    return {rule: tuple(each.says for each in remedies) for rule, remedies in REMEDIES.items()}


def additions(rule: str, scene: Scene, at: Field) -> tuple[Addition, ...] | None:
    """What mends a finding at a field; None if the rule has no remedy for it.

    Raises ``NotMechanical`` if it has one that does not fit here.
    """
    remedy = remedy_for(rule, at.path)
    if remedy is None:
        return None
    found = scene.value(at)
    if found is not None:
        raise NotMechanical("the field is set, and a value that somebody chose is not changed")
    return tuple(remedy.additions(scene, at))


def remedy_for(rule: str, path: FieldPath) -> Remedy | None:
    """The remedy of a rule for a finding at that path."""
    for remedy in REMEDIES.get(rule, ()):
        if path[-len(remedy.field) :] == remedy.field:
            return remedy
    return None

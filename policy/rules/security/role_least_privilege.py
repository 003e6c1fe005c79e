"""Roles grant what is named, and nothing from which every other permission follows.

Findings are: a wildcard in verbs, resources, API groups or URLs; reading Secrets (`get`, `list`, `watch`) without
`resourceNames`; `escalate`; `bind` and `impersonate` without `resourceNames`; running commands in pods (`pods/exec`,
`pods/attach`, `pods/ephemeralcontainers`, `nodes/proxy`); making pods, or what makes pods; making PersistentVolumes;
making tokens of any account (`serviceaccounts/token` without `resourceNames`); approving CertificateSigningRequests;
changing the webhooks of admission; a binding to `cluster-admin`. `create` of Secrets passes: it reads nothing, and
cannot be limited to names. The list is that of "Role Based Access Control Good Practices" in the documentation of
Kubernetes.

A ClusterRole with an aggregationRule is judged by the ClusterRoles that it gathers; if none of them is among the
checked objects, it could not be judged.

Why: a role is what an intruder gets with the token. Each of these leads on to all Secrets of a namespace, to other
accounts, or to the whole cluster; a wildcard also grants what the next version of Kubernetes adds.

Fix: name the verbs, resources and, for single objects, their names.

Bad:

```yaml
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: ["*"]
```

Good:

```yaml
rules:
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [orders-db]
    verbs: [get]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.resources import PolicyRule, Role, RoleBinding
from policy.manifests.selectors import LabelSelector
from policy.rules.rule import Context, Rule

_READ = frozenset({"get", "list", "watch"})
_COMMANDS = {
    "pods/exec": frozenset({"get", "create"}),
    "pods/attach": frozenset({"get", "create"}),
    "pods/ephemeralcontainers": frozenset({"update", "patch"}),
    "nodes/proxy": frozenset({"get", "create"}),
}
_CREATE = frozenset({"create"})
_CHANGE = frozenset({"create", "update", "patch"})
_RUNS_PODS = "runs pods under every account of the namespace, with every Secret in it"
_APPS = ("daemonsets", "deployments", "replicasets", "statefulsets")
_WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_POWERS: dict[tuple[str, str], tuple[frozenset[str], str]] = {
    **{("", resource): (_CREATE, _RUNS_PODS) for resource in ("pods", "replicationcontrollers")},
    **{("apps", resource): (_CREATE, _RUNS_PODS) for resource in _APPS},
    **{("batch", resource): (_CREATE, _RUNS_PODS) for resource in ("cronjobs", "jobs")},
    ("apps.openshift.io", "deploymentconfigs"): (_CREATE, _RUNS_PODS),
    ("", "persistentvolumes"): (_CREATE, "reaches every file of a node, by a hostPath"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"): (
        frozenset({"update", "patch"}),
        "approves a certificate for anybody",
    ),
    **{
        ("admissionregistration.k8s.io", resource): (_CHANGE, "sees and changes whatever is sent to the API server")
        for resource in _WEBHOOKS
    },
}


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    roles = index.all(Role)
    for role in roles:
        selectors = role.spec.selectors
        if selectors is None:
            for number, rule in enumerate(role.spec.rules or ()):
                yield from _rule(rule, role.field("rules", number))
        elif not any(_gathers(selectors, other) for other in roles if other is not role):
            yield Skipped(role.field("aggregationRule"), "none of the ClusterRoles that it gathers is in the input")
    for binding in index.all(RoleBinding):
        if binding.spec.role_ref.kind == "ClusterRole" and binding.spec.role_ref.name == "cluster-admin":
            yield Finding(
                at=binding.field("roleRef", "name"),
                message=f"{binding.ref} binds cluster-admin, which may do everything",
                fix="bind a role that names what is needed",
            )


def _gathers(selectors: tuple[LabelSelector, ...], role: Role) -> bool:
    if role.ref.kind != "ClusterRole":
        return False
    return any(selector.matches(role.resource.labels) for selector in selectors)


def _rule(rule: PolicyRule, at: Field) -> Iterator[Finding]:
    for name, what, values in (
        ("verbs", "verbs", rule.verbs),
        ("resources", "resources", rule.resources),
        ("apiGroups", "API groups", rule.api_groups),
        ("nonResourceURLs", "URLs", rule.non_resource_urls),
    ):
        for index, value in enumerate(values or ()):
            if _is_wildcard(value):
                yield Finding(
                    at=at[name][index],
                    message=f"{value} grants {f'all {what}' if len(value) < 3 else 'whatever it matches'}",
                    fix=f"name the {what} that are needed",
                )
    yield from _verbs(rule, at)
    yield from _resources(rule, at)


def _is_wildcard(value: str) -> bool:
    """``*``, ``pods/*``, ``*/scale`` or, of URLs, ``/*`` and ``/logs/*``."""
    return value == "*" or value.startswith("*/") or value.endswith("/*")


def _verbs(rule: PolicyRule, at: Field) -> Iterator[Finding]:
    for index, verb in enumerate(rule.verbs or ()):
        if verb == "escalate":
            says = "escalate grants permissions that its holder does not have"
        elif verb == "bind" and not rule.resource_names:
            says = "bind grants every role that there is; resourceNames is missing"
        elif verb == "impersonate" and not rule.resource_names:
            says = "impersonate lets its holder be anybody; resourceNames is missing"
        else:
            continue
        yield Finding(at=at["verbs"][index], message=says, fix=f"remove {verb}, or name the roles or users it is for")


def _resources(rule: PolicyRule, at: Field) -> Iterator[Finding]:
    verbs = frozenset(rule.verbs or ())
    for index, resource in enumerate(rule.resources or ()):
        for group in rule.api_groups or ():
            says = _power(group, resource, verbs, bool(rule.resource_names))
            if says:
                yield Finding(at=at["resources"][index], message=says, fix="remove it, or name single objects")
                break


def _power(group: str, resource: str, verbs: frozenset[str], by_name: bool) -> str | None:
    """What a role gets from a resource that it should not have."""
    for (of, name), (powerful, what) in _POWERS.items():
        if resource == name and group in (of, "*") and verbs & powerful:
            return f"{' and '.join(sorted(verbs & powerful))} of {resource} {what}"
    if group not in ("", "*"):
        return None
    if resource == "secrets" and not by_name and verbs & _READ:
        return f"{' and '.join(sorted(verbs & _READ))} of every Secret; resourceNames is missing"
    if resource == "serviceaccounts/token" and not by_name and "create" in verbs:
        return "creates tokens of every ServiceAccount; resourceNames is missing"
    running = verbs & _COMMANDS.get(resource, frozenset())
    return f"{' and '.join(sorted(running))} of {resource} runs commands in pods" if running else None


RULE = Rule(id="role-least-privilege", applies_to=Index, severity=Severity.ERROR, check=check)

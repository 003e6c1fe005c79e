"""Argo CD's own settings, argocd-cm and argocd-rbac-cm: what it passes over without a word.

``argocd admin settings validate`` reads the values of some keys and passes over a key that it does not know. Keys and
values are those of https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-cm-yaml/ and argocd-rbac-cm-yaml/.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from policy.argocd.rbac import policy_problems
from policy.errors import SourceError
from policy.findings import FieldPath
from policy.manifests.load import load_documents
from policy.manifests.resources import Resource
from policy.patterns import Pattern

SETTINGS, ROLES = "argocd-cm", "argocd-rbac-cm"
_PART_OF = "app.kubernetes.io/part-of"
_BOOLEANS = """
    admin.enabled application.sync.impersonation.enabled application.sync.impersonation.enforced
    application.sync.requireOverridePrivilegeForRevisionSync cluster.inClusterEnabled exec.enabled ga.anonymizeusers
    helm.enable jsonnet.enable kustomize.enable oidc.tls.insecure.skip.verify resource.ignoreResourceUpdatesEnabled
    server.rbac.disableApplicationFineGrainedRBACInheritance server.rbac.rollback.enforce.enable statusbadge.enabled
    ui.bannerpermanent users.anonymous.enabled
"""
_DURATIONS = """
    timeout.hard.reconciliation timeout.reconciliation timeout.reconciliation.jitter users.session.duration
    webhook.refresh.jitter
"""
_YAML = """
    additionalUrls application.links dex.config dex.storage extension.config globalProjects oidc.config project.links
    repository.credentials repositories resource.compareoptions resource.customizations resource.exclusions
    resource.inclusions resource.links
"""
_TEXTS = """
    application.allowedNodeLabels application.instanceLabelKey application.resourceTrackingMethod commit.author.email
    commit.author.name exec.shells ga.trackingid help.chatText help.chatUrl helm.valuesFileSchemes installationID
    kustomize.buildOptions passwordPattern resource.customLabels resource.excludeEventLabelKeys
    resource.includeEventLabelKeys resource.respectRBAC resource.sensitive.mask.annotations server.maxPodLogsToRender
    sourceHydrator.commitMessageTemplate sourceHydrator.readmeMessageTemplate statusbadge.url ui.bannercontent
    ui.bannerposition ui.bannerurl ui.cssurl ui.loginButtonText url webhook.maxPayloadSizeMB
    webhook.refresh.jitter.threshold
"""
BOOLEANS, DURATIONS, YAML = (frozenset(words.split()) for words in (_BOOLEANS, _DURATIONS, _YAML))
KNOWN = BOOLEANS | DURATIONS | YAML | frozenset(_TEXTS.split())
"""The keys of argocd-cm that have a fixed name."""

CUSTOMIZATIONS = ("actions", "health", "ignoreDifferences", "ignoreResourceUpdates", "knownTypeFields", "useOpenLibs")
_CUSTOMIZATION = "resource.customizations."
_FAMILIES = ("accounts.", "help.download.", "kustomize.buildOptions.", "kustomize.path.", "kustomize.version.")
_CHOICES = {
    "application.resourceTrackingMethod": ("annotation", "annotation+label", "label"),
    "resource.respectRBAC": ("", "normal", "strict"),
    "ui.bannerposition": ("top", "bottom", "both"),
}
_DURATION = Pattern(r"0|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_ROLE_KEYS = ("policy.default", "policy.csv", "policy.matchMode", "scopes")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a field of one of the ConfigMaps, and what to do."""

    path: FieldPath
    message: str
    fix: str


def problems(resource: Resource, applications: Collection[str] | None) -> Iterator[Problem]:
    """What is wrong with one of Argo CD's ConfigMaps; nothing for any other object.

    ``applications`` are the known ones as ``project/name``; None where not all of them are known.
    """
    if resource.ref.kind != "ConfigMap" or resource.ref.name not in (SETTINGS, ROLES):
        return
    if resource.labels.get(_PART_OF) != "argocd":
        message = f"Argo CD reads {resource.ref.name} only with the label {_PART_OF}: argocd"
        yield Problem(("metadata", "labels", _PART_OF), message, "add the label")
    data = resource.raw.get("data")
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, Mapping) else {}
    if resource.ref.name == SETTINGS:
        for key, value in texts.items():
            yield from _setting(key, value, texts)
    else:
        yield from _roles(texts, applications)


def _setting(key: str, value: str, data: Mapping[str, str]) -> Iterator[Problem]:
    path = ("data", key)
    if key.startswith(_CUSTOMIZATION):
        yield from _customization(key, value)
    elif key.startswith(_FAMILIES):
        yield from _of_family(key, value, data)
    elif key not in KNOWN:
        import difflib  # only errors need it

        near = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.75)
        if near:
            yield Problem(path, f"Argo CD has no setting {key}; did you mean {near[0]}?", f"write {near[0]}")
    elif key in BOOLEANS and value not in ("true", "false"):
        yield Problem(path, f"{key} is {value!r}, which counts as false", 'write "true" or "false"')
    elif key in DURATIONS and not _DURATION.fullmatch(value):
        yield Problem(path, f"{key} is {value!r}, which is no duration", "write it like 180s or 24h")
    elif key in YAML:
        yield from _yaml(path, key, value)
    elif key in _CHOICES and value not in _CHOICES[key]:
        known = ", ".join(choice or "(empty)" for choice in _CHOICES[key])
        yield Problem(path, f"{key} is {value!r}; known are {known}", "write one of these")


def _customization(key: str, value: str) -> Iterator[Problem]:
    name, _, kind = key.removeprefix(_CUSTOMIZATION).partition(".")
    if name not in CUSTOMIZATIONS or not kind:
        known = ", ".join(f"{each}.<group>_<kind>" for each in CUSTOMIZATIONS)
        message = f"Argo CD passes over {key}: known are {known}"
        yield Problem(("data", key), message, "write one of these")
    elif name not in ("health", "useOpenLibs"):
        yield from _yaml(("data", key), key, value)


def _of_family(key: str, value: str, data: Mapping[str, str]) -> Iterator[Problem]:
    if key.startswith("accounts.") and key.endswith(".enabled") and value not in ("true", "false"):
        yield Problem(("data", key), f"{key} is {value!r}, want true or false", 'write "true" or "false"')
    elif key.startswith("kustomize.version."):
        other = key.replace("kustomize.version.", "kustomize.path.")
        if other in data and data[other] != value:
            message = f"{key} and {other} name different binaries of one version"
            yield Problem(("data", key), message, f"keep {other}")


def _yaml(path: FieldPath, key: str, value: str) -> Iterator[Problem]:
    try:
        for _ in load_documents(value, key):
            pass
    except SourceError as error:
        where = f", line {error.line} of it" if error.line else ""
        yield Problem(path, f"{key}{where}: {error.message}", "correct it: Argo CD cannot read it")


def _roles(data: Mapping[str, str], applications: Collection[str] | None) -> Iterator[Problem]:
    for key in data:
        if key not in _ROLE_KEYS and not (key.startswith("policy.") and key.endswith(".csv")):
            import difflib  # only errors need it

            near = difflib.get_close_matches(key, _ROLE_KEYS, n=1, cutoff=0.75)
            hint = f"; did you mean {near[0]}?" if near else ": a policy is under policy.<name>.csv"
            yield Problem(("data", key), f"Argo CD passes over {key}{hint}", "correct its name, or delete it")
    if data.get("policy.matchMode", "glob") not in ("glob", "regex"):
        message = f"policy.matchMode is {data['policy.matchMode']!r}, which counts as glob"
        yield Problem(("data", "policy.matchMode"), message, "write glob or regex")
    yield from _policies(data, applications)


def _policies(data: Mapping[str, str], applications: Collection[str] | None) -> Iterator[Problem]:
    """The problems of each line; Argo CD joins the texts, the one without a name first."""
    keys = sorted((key for key in data if key.startswith("policy.") and key.endswith(".csv")), key=_csv_order)
    if data.get("policy.matchMode") == "regex":
        return  # what a pattern means is another question then
    lines = [(key, number) for key in keys for number, _ in enumerate(data[key].splitlines(), 1)]
    text = "\n".join(line for key in keys for line in data[key].splitlines())
    for problem in policy_problems(text, applications=applications):
        key, number = lines[problem.line - 1]
        message = f"line {number} of {key} has no effect: {problem.message}"
        yield Problem(("data", key), message, "correct the line, or delete it")


def _csv_order(key: str) -> tuple[bool, str]:
    return key != "policy.csv", key

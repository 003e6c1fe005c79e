"""What holds data is not deleted by Argo CD without a word.

Asked are Namespaces, StatefulSets, PersistentVolumeClaims and the claim templates of StatefulSets, wherever Argo CD
deploys; `[rules.prune-guarded] kinds = [...]` in policy.toml says otherwise.

Why: an object that leaves Git, by a mistaken merge, a renamed folder or a patch that deletes, is pruned at the next
sync, and a Namespace takes everything in it along. What holds data does not come back by a revert.

Fix: the annotation below. `Prune=false` and `Delete=false` do as well: then nobody is asked, and nothing is deleted.

Bad:

```yaml
kind: Namespace
metadata:
  name: shop
```

Good:

```yaml
kind: Namespace
metadata:
  name: shop
  annotations:
    argocd.argoproj.io/sync-options: Prune=confirm,Delete=confirm
```

An Application may say the same for all that it deploys, under `spec.syncPolicy.syncOptions`; an object's own annotation
counts more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from policy.argocd.objects import Application
from policy.findings import FieldPath, Finding, Severity
from policy.manifests.resources import Resource
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository

_ANNOTATION = "argocd.argoproj.io/sync-options"
_PREFIX = "argocd.argoproj.io/"
_GUARDS = ("confirm", "false")
_QUESTIONS = ("Prune", "Delete")
_CLAIM, _CLAIMING = "PersistentVolumeClaim", "StatefulSet"


class PruneGuardedOptions(Options, frozen=True):
    """``kinds``: the kinds that hold data."""

    kinds: tuple[str, ...] = ("Namespace", _CLAIMING, _CLAIM)


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    kinds = context.options(PruneGuardedOptions).kinds
    deployed = repository.deployments.deployed()
    for overlay, index in repository.indexes.items():
        applications = deployed.get(overlay, [])
        asked = [item for item in index.resources if item.ref.kind in kinds or item.ref.kind == _CLAIMING]
        if not asked or not (applications or any(map(_is_argo_cds, index.annotated))):
            continue
        for resource in asked:
            if resource.ref.kind in kinds:
                yield from _object(overlay, resource, applications)
            if resource.ref.kind == _CLAIMING and _CLAIM in kinds:
                yield from _claims(overlay, resource, applications)


def _is_argo_cds(resource: Resource) -> bool:
    """Whether the object is written for Argo CD."""
    return any(key.startswith(_PREFIX) for key in resource.annotations)


def _object(overlay: str, resource: Resource, applications: Sequence[Application]) -> Iterator[Finding]:
    missing = _missing(resource.annotations.get(_ANNOTATION), applications)
    if missing:
        path: FieldPath = ("metadata", "annotations", _ANNOTATION)
        yield _finding(overlay, resource, path, f"{resource.ref}", missing)


def _claims(overlay: str, resource: Resource, applications: Sequence[Application]) -> Iterator[Finding]:
    spec = resource.raw.get("spec")
    templates = spec.get("volumeClaimTemplates") if isinstance(spec, Mapping) else None
    for number, template in enumerate(templates if isinstance(templates, list) else ()):
        metadata = template.get("metadata") if isinstance(template, Mapping) else None
        metadata = metadata if isinstance(metadata, Mapping) else {}
        annotations = metadata.get("annotations")
        said = annotations.get(_ANNOTATION) if isinstance(annotations, Mapping) else None
        missing = _missing(said, applications)
        if missing:
            path: FieldPath = ("spec", "volumeClaimTemplates", number, "metadata", "annotations", _ANNOTATION)
            yield _finding(overlay, resource, path, f"a claim {metadata.get('name', '')} of {resource.ref}", missing)


def _missing(said: object, applications: Sequence[Application]) -> list[str]:
    """Which of pruning and deletion nobody is asked about."""
    own = dict(_options(str(said or "").split(",")))
    return [
        question
        for question in _QUESTIONS
        if not _is_guarded(own, question)
        and (question in own or not applications or not all(_is_guarded(_of(each), question) for each in applications))
    ]


def _is_guarded(options: Mapping[str, str], question: str) -> bool:
    return options.get(question) in _GUARDS


def _of(application: Application) -> Mapping[str, str]:
    policy = application.spec.sync_policy
    return dict(_options((policy.sync_options if policy else None) or ()))


def _options(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        key, _, value = text.strip().partition("=")
        yield key, value


def _finding(overlay: str, resource: Resource, path: FieldPath, what: str, missing: list[str]) -> Finding:
    verbs = {"Prune": "pruned", "Delete": "deleted"}
    return Finding(
        at=resource.field(*path),
        message=f"{what} holds data and is {' and '.join(verbs[each] for each in missing)} without a confirmation",
        fix=f"add the annotation {_ANNOTATION}: {','.join(f'{each}=confirm' for each in _QUESTIONS)}",
        overlay=overlay,
    )


RULE = Rule(
    id="prune-guarded", applies_to=Repository, severity=Severity.ERROR, check=check, options=PruneGuardedOptions
)
